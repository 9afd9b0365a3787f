/** Takes the rack's machines from bare to running their operating system, as an operator would: with the real client. */
import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type { Ongoing } from './command/display.ts'
import { RackFailed } from './failure.ts'
import type { Image } from './image.ts'
import type { Rack } from './rack.ts'
import { lastConsoleLine } from './steel/console.ts'
import { type Stage, Timeline } from './timeline.ts'

export type DeployOptions = {
  image: Image
  signal: AbortSignal
  onStage(machine: string, stage: Stage): void
  /** Several times a second. */
  onOngoing(ongoing: readonly Ongoing[]): void
  /** How long a machine may give no sign at all. */
  silence_limit_s?: number
  /** The caller stops and starts the appliance meanwhile. */
  applianceMayRest?: boolean
}
const LOOK_INTERVAL_MS = 200
const STATE_DEADLINE_S = 120
/** Under emulation, with two cores for all machines: the longest quiet part is a kernel that boots. */
const SILENCE_LIMIT_S = 240

/** Follows every machine; they are deployed at once. @throws RackFailed, ClientFailed */
export async function deployRack(rack: Rack, options: DeployOptions): Promise<Timeline[]> {
  const timelines = rack.hardware.machines.map((machine) => follow(rack, machine, options))
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const work = timelines.map((timeline, index) => enrollAndDeploy(rack, index, timeline, options.image))
  const watch = watchOver(rack, timelines, { ...options, signal })
  try {
    await Promise.race([Promise.all(work), watch])
    await watch
    return timelines
  } finally {
    stop.abort()
    // Clients that are still at it end with the rack.
    void Promise.allSettled([watch, ...work])
  }
}

function follow(rack: Rack, machine: Rack['hardware']['machines'][number], { onStage }: DeployOptions): Timeline {
  const timeline = new Timeline({
    name: machine.name,
    mac: machine.options.mac,
    ramdisk_bytes: rack.ramdisk.bytes,
    onStage: ({ name }, stage) => onStage(name, stage),
  })
  machine.onPower((power) => timeline.takePower(power))
  rack.appliance.onLine((line) => timeline.takeLine(line))
  rack.hardware.onPhoneHome((call) => call.mac === machine.options.mac && timeline.takePhoneHome(call))
  return timeline
}

async function enrollAndDeploy(rack: Rack, index: number, timeline: Timeline, image: Image): Promise<void> {
  await enroll(rack, index, timeline, image)
  await rack.baremetal('node', 'deploy', timeline.name, ...configDrive(timeline.name, image))
}

/** The commands of the README, in its order. */
export async function enroll(rack: Rack, index: number, timeline: Timeline, image: Image): Promise<void> {
  const { name } = timeline
  const mac = timeline.options.mac
  const about = ['--property', `capabilities=boot_mode:${rack.firmware}`, ...rack.bmcArguments(index)]
  const interfaces = ['--driver', 'ipmi', '--deploy-interface', 'direct']
  const printed = ['-f', 'value', '-c', 'uuid']
  const uuid = await rack.baremetal('node', 'create', '--name', name, ...interfaces, ...about, ...printed)
  timeline.uuid = uuid.trim()
  const source = ['--instance-info', `image_source=file://${image.path}`]
  const checksum = ['--instance-info', `image_checksum=${image.sha256}`]
  await Promise.all([
    rack.baremetal('port', 'create', mac, '--node', timeline.uuid),
    rack.baremetal('node', 'set', name, ...source, ...checksum),
  ])
  for (const [verb, state] of [
    ['manage', 'manageable'],
    ['provide', 'available'],
  ] as const) {
    const from = rack.appliance.lines.length
    await rack.baremetal('node', verb, name)
    const arrived = await rack.appliance.waitFor(
      state,
      ({ message, node, to }) =>
        message === 'provision state changed' && node === timeline.uuid && (to === state || to === 'enroll'),
      { timeout_s: STATE_DEADLINE_S, from },
    )
    if (arrived.to !== state) throw new RackFailed(`${name}: ${arrived.last_error}`, rack.appliance.options.log)
  }
}

/** Our own image takes its host name from it; of another image we do not know what it would do with one. */
function configDrive(name: string, image: Image): string[] {
  const drive = { meta_data: { uuid: name, name, hostname: name } }
  return image.isOwn ? ['--config-drive', JSON.stringify(drive)] : []
}

/** Returns when all are home and active. */
async function watchOver(rack: Rack, timelines: readonly Timeline[], options: DeployOptions): Promise<void> {
  const { signal, onOngoing } = options
  while (!timelines.every((timeline) => timeline.isHome && timeline.isActive)) {
    await setTimeout(LOOK_INTERVAL_MS, undefined, { signal })
    for (const [index, timeline] of timelines.entries()) await checkOn(rack, index, timeline, options)
    const bytes = await rack.hardware.network.bytesToMachines()
    for (const [index, timeline] of timelines.entries()) timeline.takeWire(bytes[index] ?? 0)
    onOngoing(
      timelines
        .filter((timeline) => !(timeline.isHome && timeline.isActive))
        .map((timeline) => ({ name: timeline.name, elapsed_s: timeline.elapsed_s, activity: timeline.activity })),
    )
  }
}

async function checkOn(rack: Rack, index: number, timeline: Timeline, options: DeployOptions): Promise<void> {
  const { log } = rack.appliance.options
  const { silence_limit_s = SILENCE_LIMIT_S, applianceMayRest = false } = options
  if (timeline.failure) throw new RackFailed(`${timeline.name}: ${timeline.failure}`, log)
  if (!rack.appliance.isUp && !applianceMayRest)
    throw new RackFailed(`the appliance ended: ${rack.appliance.lastWords()}`, log)
  if (timeline.isHome || Date.now() - timeline.heard_ms < silence_limit_s * 1000) return
  const screen = rack.hardware.machines[index]?.options.console ?? log
  const last = timeline.stages.at(-1)?.name ?? 'the start'
  const shown = lastConsoleLine(await readFile(screen, 'utf8'))
  const screenWords = shown === '' ? 'its console is empty' : `its console ends with "${shown}"`
  throw new RackFailed(`${timeline.name} gave no sign for ${silence_limit_s} s after "${last}": ${screenWords}`, screen)
}
