/** How much memory the machine still had while something went on, at the least: for whoever sizes machines. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export type MemoryWatch = {
  /** @returns a line for the screen; undefined where the kernel does not tell */
  end(what: string): string | undefined
}

const SAMPLE_MS = 250
const KIB_PER_MIB = 1024

export function watchMemory(root: string): MemoryWatch {
  const before_mib = availableMib(root)
  let least_mib = before_mib
  const look = () => {
    least_mib = Math.min(least_mib ?? Number.POSITIVE_INFINITY, availableMib(root) ?? Number.POSITIVE_INFINITY)
  }
  const timer = setInterval(look, SAMPLE_MS).unref()
  return {
    end(what) {
      clearInterval(timer)
      if (before_mib === undefined) return undefined
      look()
      return `Memory available: ${before_mib} MiB before ${what}, ${least_mib} MiB at the least`
    },
  }
}

function availableMib(root: string): number | undefined {
  try {
    const kib = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync(join(root, 'proc/meminfo'), 'utf8'))?.[1]
    return kib === undefined ? undefined : Math.floor(Number(kib) / KIB_PER_MIB)
  } catch {
    return undefined
  }
}
