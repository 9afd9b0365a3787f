/**
 * Takes the rack's machines from bare to running their operating system, as an operator would: with the real client.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { attend } from './attendant.ts'
import type { ContainerImage } from './container-image.ts'
import { RackFailed } from './failure.ts'
import type { Image } from './image.ts'
import { INSTALLER_PARAMETERS, type Installation } from './installer/build.ts'
import { LIVE_PARAMETERS, type LiveSystem } from './live-system/build.ts'
import { bmcArguments, createArguments, DEFAULT_DRIVER, given, type NodeFields, reachesBmc } from './node-fields.ts'
import type { Rack } from './rack.ts'
import { lastConsoleLine } from './steel/console.ts'
import { type Ongoing, type Stage, Timeline } from './timeline.ts'

/** What machines are deployed with. */
export type Payload = Image | ContainerImage | LiveSystem | Installation

export type DeployOptions = {
  image: Payload
  /** Further fields of the nodes. */
  instance_info?: Readonly<Record<string, string>>
  /** What was said of the nodes by hand: it comes last, and counts. */
  node?: NodeFields
  /** Which machines of the rack, counted from 0; all when left out. */
  machines?: readonly number[]
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
  const { machines = rack.hardware.machines.map((_, index) => index) } = options
  const timelines = machines.map((index) => follow(rack, index, options))
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const work = timelines.map((timeline) => enrollAndDeploy(rack, timeline, options))
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

function follow(rack: Rack, index: number, { onStage }: DeployOptions): Timeline {
  const machine = rack.hardware.machines[index]
  if (!machine) throw new Error(`the rack has no machine ${index + 1}`)
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

const indexOf = (rack: Rack, { name }: Timeline) => rack.hardware.machines.findIndex((machine) => machine.name === name)

async function enrollAndDeploy(rack: Rack, timeline: Timeline, options: DeployOptions): Promise<void> {
  await enroll(rack, timeline, options)
  const { deploy_steps } = options.node ?? {}
  const steps = deploy_steps === undefined ? [] : ['--deploy-steps', deploy_steps]
  await rack.baremetal('node', 'deploy', timeline.name, ...configDrive(timeline.name, options.image), ...steps)
}

type EnrollOptions = Pick<DeployOptions, 'image' | 'instance_info' | 'node'> & { signal: AbortSignal }

/**
 * The commands of the README, in its order.
 * @param o.signal  ends the work of who attends to a machine without a BMC
 */
export async function enroll(
  rack: Rack,
  timeline: Timeline,
  { image, instance_info = {}, node = {}, signal }: EnrollOptions,
): Promise<void> {
  const { name } = timeline
  const mac = timeline.options.mac
  const index = indexOf(rack, timeline)
  const { driver = DEFAULT_DRIVER } = node
  const about = ['--property', `capabilities=boot_mode:${rack.firmware}`, ...bmcArguments(index, driver)]
  const { deploy_interface, fields } = interfaceFor(image, node)
  const interfaces = ['--driver', driver, '--deploy-interface', node.deploy_interface ?? deploy_interface]
  const printed = ['-f', 'value', '-c', 'uuid']
  const uuid = await rack.baremetal(
    'node',
    'create',
    '--name',
    name,
    ...interfaces,
    ...about,
    ...createArguments(node),
    ...printed,
  )
  timeline.uuid = uuid.trim()
  const machine = rack.hardware.machines[index]
  if (machine && !reachesBmc(driver)) attend(machine, timeline.uuid, rack.appliance, signal)
  const info = Object.entries({ ...fields, ...instance_info }).map(([key, value]) => `${key}=${value}`)
  const instance = given('--instance-info', [...info, ...(node.instance_info ?? [])])
  await Promise.all([
    rack.baremetal('port', 'create', mac, '--node', timeline.uuid),
    rack.baremetal('node', 'set', name, ...instance),
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

/**
 * A disk image goes by `direct`, a container by `bootc`, a live system by `ramdisk`, unless the node says otherwise. An
 * ISO stands alone.
 */
function interfaceFor(
  image: Payload,
  { instance_info = [] }: NodeFields,
): { deploy_interface: string; fields: Readonly<Record<string, string>> } {
  if ('kernel' in image) {
    const hasIso = instance_info.some((pair) => pair.startsWith('boot_iso='))
    const { kernel, ramdisk } = image
    const live = { kernel: `file://${kernel}`, ramdisk: `file://${ramdisk}`, ramdisk_kernel_arguments: LIVE_PARAMETERS }
    return { deploy_interface: 'ramdisk', fields: hasIso ? {} : live }
  }
  if ('installer' in image) return { deploy_interface: 'anaconda', fields: kickstartFields(image) }
  return 'reference' in image
    ? { deploy_interface: 'bootc', fields: { image_source: `oci://${image.reference}` } }
    : {
        deploy_interface: 'direct',
        fields: { image_source: `file://${image.path}`, image_checksum: image.sha256 },
      }
}

function kickstartFields({ installer, path, sha256 }: Installation) {
  const { kernel, ramdisk, stage2 } = installer
  return {
    ...{ image_source: `file://${path}`, image_checksum: sha256, kernel_append_params: INSTALLER_PARAMETERS },
    ...{ kernel: `file://${kernel}`, ramdisk: `file://${ramdisk}`, stage2: `file://${stage2}` },
  }
}

/** Our own image takes its host name from it; of another image we do not know what it would do with one. */
function configDrive(name: string, image: Payload): string[] {
  const drive = { meta_data: { uuid: name, name, hostname: name } }
  return image.isOwn ? ['--config-drive', JSON.stringify(drive)] : []
}

/** Returns when all are home and active. */
async function watchOver(rack: Rack, timelines: readonly Timeline[], options: DeployOptions): Promise<void> {
  const { signal, onOngoing } = options
  while (!timelines.every((timeline) => timeline.isHome && timeline.isActive)) {
    await setTimeout(LOOK_INTERVAL_MS, undefined, { signal })
    for (const timeline of timelines) await checkOn(rack, timeline, options)
    const bytes = await rack.hardware.network.bytesToMachines()
    for (const timeline of timelines) timeline.takeWire(bytes[indexOf(rack, timeline)] ?? 0)
    onOngoing(
      timelines
        .filter((timeline) => !(timeline.isHome && timeline.isActive))
        .map((timeline) => ({ name: timeline.name, elapsed_s: timeline.elapsed_s, activity: timeline.activity })),
    )
  }
}

async function checkOn(rack: Rack, timeline: Timeline, options: DeployOptions): Promise<void> {
  const { log } = rack.appliance.options
  const { silence_limit_s = SILENCE_LIMIT_S, applianceMayRest = false } = options
  if (timeline.failure) throw new RackFailed(`${timeline.name}: ${timeline.failure}`, log)
  if (!rack.appliance.isUp && !applianceMayRest)
    throw new RackFailed(`the appliance ended: ${rack.appliance.lastWords()}`, log)
  if (timeline.isHome || Date.now() - timeline.heard_ms < silence_limit_s * 1000) return
  const screen = rack.hardware.machines[indexOf(rack, timeline)]?.options.console ?? log
  const last = timeline.stages.at(-1)?.name ?? 'the start'
  const shown = lastConsoleLine(await readFile(screen, 'utf8'))
  const screenWords = shown === '' ? 'its console is empty' : `its console ends with "${shown}"`
  throw new RackFailed(`${timeline.name} gave no sign for ${silence_limit_s} s after "${last}": ${screenWords}`, screen)
}
