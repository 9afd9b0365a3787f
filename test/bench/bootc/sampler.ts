/** Memory of the appliance and of the virtual machines that it runs, sampled from outside while something goes on. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { memoryMib, type Row } from '../measure.ts'

const SAMPLE_MS = 500
/** @source proc(5) clear_refs: resets VmHWM */
const RESET_PEAK = '5'

export type MemorySamples = Disposable & {
  /** The appliance's memory before and at the most, its guest's QEMU at the most. */
  told(): Row
}

export function sampleMemory(pid: number): MemorySamples {
  writeFileSync(`/proc/${pid}/clear_refs`, RESET_PEAK)
  const { rss } = memoryMib(pid)
  let guest_peak: number | undefined
  const look = () => {
    for (const child of childrenOf(pid)) {
      const peak = peakOf(child)
      if (peak !== undefined) guest_peak = Math.max(guest_peak ?? 0, peak)
    }
  }
  const timer = setInterval(look, SAMPLE_MS)
  return {
    told: () => ({
      'appliance MiB before': rss,
      'appliance peak MiB': memoryMib(pid).peak,
      'guest QEMU MiB': guest_peak,
    }),
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** Of a virtual machine; undefined: it is another program, or gone. */
function peakOf(pid: number): number | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu') ? memoryMib(pid).peak : undefined
  } catch {
    return undefined
  }
}

/** Each of its threads may have started some. */
function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      return text.split(' ').filter(Boolean).map(Number)
    } catch {
      return []
    }
  })
}
