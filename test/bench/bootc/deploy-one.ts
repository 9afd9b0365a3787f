/** Deploys one machine of a rack, switches it off, and tells all that was measured: seconds by stage, memory, bytes. */
import { readFile } from 'node:fs/promises'
import type { ContainerImage } from '../../rack/container-image.ts'
import { deployRack } from '../../rack/deploy.ts'
import type { Image } from '../../rack/image.ts'
import type { Rack } from '../../rack/rack.ts'
import type { Timeline } from '../../rack/timeline.ts'
import { MIB, type Row, round } from '../measure.ts'
import { sampleMemory } from './sampler.ts'

export type Given = {
  what: string
  rack: Rack
  /** Counted from 0. */
  machine: number
  image: Image | ContainerImage
  instance_info?: Readonly<Record<string, string>>
  silence_limit_s?: number
  signal: AbortSignal
}
export type Deployed = { row: Row; stages: Timeline['stages'] }

const SILENCE_LIMIT_S = 1200

/** @throws RackFailed  with the reason */
export async function deployOne(given: Given): Promise<Deployed> {
  const { what, rack, machine, image, instance_info, signal, silence_limit_s = SILENCE_LIMIT_S } = given
  const steel = rack.hardware.machines[machine]
  if (!steel || !rack.appliance.pid) throw new Error('the rack has no such machine, or no appliance')
  process.stdout.write(`${what}, ${steel.options.memory_mib} MiB\n`)
  using memory = sampleMemory(rack.appliance.pid)
  const from_line = rack.appliance.lines.length
  const upstream_before = rack.upstream?.bytesSent ?? 0
  try {
    const [timeline] = await deployRack(rack, {
      ...{ image, instance_info, signal, silence_limit_s, machines: [machine] },
      onStage: (_name, { name, at_s, note = '' }) =>
        process.stdout.write(`  ${at_s.toFixed(1).padStart(7)} s  ${name}  ${note}\n`),
      onOngoing: () => {},
    })
    if (!timeline) throw new Error('the rack has no such machine')
    const wire = (await rack.hardware.network.bytesToMachines())[machine] ?? Number.NaN
    const row = {
      what,
      'memory MiB': steel.options.memory_mib,
      ...timesOf(timeline),
      ...guestOf(rack, from_line),
      'agent used MiB': agentMemory(await readFile(steel.options.console, 'utf8')),
      ...memory.told(),
      'upstream MiB': mib((rack.upstream?.bytesSent ?? 0) - upstream_before),
      'wire MiB': mib(wire),
      'image sent MiB': mib(timeline.stages.find(({ name }) => name === 'image sent')?.bytes ?? Number.NaN),
    }
    return { row, stages: timeline.stages }
  } finally {
    // Its operating system would take time from what is measured next.
    await steel.powerOff()
  }
}

const mib = (bytes: number) => (Number.isNaN(bytes) ? undefined : round(bytes / MIB, 1))

/** `ready`, `active` and `home` count from the deploy call, the others for themselves. */
function timesOf(timeline: Timeline): Row {
  const at = (name: string) => timeline.at_s(name) ?? Number.NaN
  const took = (step: string) => timeline.stages.find(({ name }) => name === `step deploy.${step}`)?.took_s
  return {
    'ready s': round(at('machine on')),
    'to agent s': round(at('lookup') - at('machine on')),
    'install s': took('execute_bootc_install') ?? took('write_image'),
    'finish s': took('bootc_finish'),
    'active s': round(at('active')),
    'home s': round(at('phone-home')),
    'power-on to home s': round(at('phone-home') - at('machine on')),
  }
}

/** When the appliance ran one meanwhile. */
function guestOf(rack: Rack, from_line: number): Row {
  const lines = rack.appliance.lines.slice(from_line)
  const ended = lines.find(({ message }) => message === 'guest ended')
  const told = lines.find(({ message }) => message === 'container installed')
  if (!ended) return {}
  return {
    'guest s': Number(ended.duration_s),
    'guest pull s': Number(told?.pull_s),
    'guest install s': Number(told?.install_s),
    'guest used MiB': Number(told?.memory_before_mib) - Number(told?.memory_least_mib),
  }
}

/** What the deploy took beyond the idle ramdisk, by what the agent tells on its console. */
function agentMemory(console: string): number | undefined {
  const told = [...console.matchAll(/Memory available: (\d+) MiB before \w+, (\d+) MiB at the least/g)]
  if (told.length === 0) return undefined
  return Math.max(...told.map(([, before]) => Number(before))) - Math.min(...told.map(([, , least]) => Number(least)))
}
