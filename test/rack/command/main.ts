/** `npm run rack`: deploys bare machines in a virtual rack on this box, and tells each stage as it happens. */
import { writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { npmGone } from '../../../appliance/cli/parent.ts'
import { mergeConfig } from '../appliance-config.ts'
import { cacheFolder, createLogFolder } from '../cache.ts'
import { type ContainerImage, prepareContainer, splitReference } from '../container-image.ts'
import { deployRack, type Payload } from '../deploy.ts'
import { explain } from '../failure.ts'
import { type Image, prepareImage } from '../image.ts'
import { ensureInstallation, type Installation } from '../installer/build.ts'
import { makeLiveSystem } from '../live-system/build.ts'
import { needsRedfish } from '../node-fields.ts'
import { DEFAULT_DISK_BYTES, type Rack, type RackOptions, startRack } from '../rack.ts'
import { ensureRamdisk, type Ramdisk } from '../ramdisk.ts'
import { createDisplay, type Display, inMiB } from './display.ts'
import { enabling, type LaidOver, laidOver } from './laid-over.ts'
import { HELP, type RackCommand, readOptions, UsageError } from './options.ts'
import { type Making, prepare } from './prepare.ts'
import { howToLookAround, resultOf, summary } from './report.ts'

type Run = LaidOver & { command: RackCommand; display: Display; logs: string; signal: AbortSignal }

/** Room for the config drive and the second partition table behind an image. */
const DISK_MARGIN_BYTES = 1024 ** 3
/** Boot partitions, and room for podman's store beside the root while it installs. */
const CONTAINER_DISK_BYTES = 6 * 1024 ** 3
const UNPACKED_FACTOR = 6
/** Its machines write no disk: our own system for it needs none. */
const LIVE_INTERFACE = 'ramdisk'
/** Its machines are installed by a stand-in for an installer. */
const KICKSTART_INTERFACE = 'anaconda'
const DAY_MS = 86_400_000
const STATUS = { done: 0, failed: 1, usage: 2, interrupted: 130 }

async function main(display: Display, signal: AbortSignal): Promise<number> {
  const read = await readCommand(display)
  if (typeof read === 'number') return read
  const logs = await createLogFolder(`rack-${process.pid}`)
  try {
    return await runRack({ ...read, display, logs, signal })
  } catch (error) {
    display.end()
    display.say(signal.aborted ? 'stopped; nothing is left running' : explain(error, logs))
    return signal.aborted ? STATUS.interrupted : STATUS.failed
  }
}

async function readCommand(display: Display): Promise<(LaidOver & Pick<Run, 'command'>) | number> {
  try {
    const command = readOptions(process.argv.slice(2), process.env)
    if (command !== 'help') return { command, ...(await laidOver(command.config, command.plugins)) }
    display.say(HELP)
    return STATUS.done
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    display.say(error.message)
    return STATUS.usage
  }
}

async function runRack(run: Run): Promise<number> {
  const { command, display, logs, signal } = run
  const [ramdisk, prepared] = await prepare(display, signal, [
    {
      name: 'ramdisk',
      make: (either, _progress, tell) => ensureRamdisk(either, { tell, plugins: run.plugins }),
    },
    { name: 'image', make: imageMaker(command) },
  ])
  const image = prepared ?? (await makeLiveSystem(ramdisk.folder, join(cacheFolder(), 'live-system')))
  await using rack = await start(run, ramdisk, image)
  const status = await deploy(rack, run, image).catch((error) => {
    if (!command.keep || signal.aborted) throw error
    display.end()
    display.say(explain(error, logs))
    return STATUS.failed
  })
  if (command.keep) await stayUp(rack, display, signal)
  else display.say('\nnpm run rack -- --keep leaves rack and appliance up, to look around.')
  return status
}

type Prepared = Image | ContainerImage | Installation

/** @returns undefined  what is booted is made of the deploy ramdisk */
function imageMaker({ isContainer, image, node }: RackCommand): Making<Prepared | undefined>['make'] {
  if (node.deploy_interface === LIVE_INTERFACE) return async () => undefined
  if (node.deploy_interface === KICKSTART_INTERFACE && image === undefined) {
    return (signal, _progress, tell) => ensureInstallation(signal, { tell })
  }
  return (signal, progress, tell) =>
    isContainer ? prepareContainer(image, signal, tell) : prepareImage(image, signal, progress, tell)
}

async function start(run: Run, ramdisk: Ramdisk, image: Payload): Promise<Rack> {
  const { command, display, logs, signal } = run
  const { firmware, nodes: machines, memory_mib } = command
  const rack = await startRack({
    ...{ ramdisk, firmware, machines, memory_mib, logs, signal },
    config: mergeConfig(mergeConfig(cleaning(command), await enabling(command.node.deploy_interface)), run.config),
    redfish: needsRedfish(command.node.driver),
    ...optionsFor(image, command),
  })
  display.say(`rack of ${machines} with ${firmware} firmware is up in network namespace ${rack.name}; logs: ${logs}`)
  if ('reference' in image) await offer(rack, run, image)
  return rack
}

const cleaning = ({ clean }: RackCommand) => ({ conductor: { automated_clean: clean ? 'True' : 'False' } })

function optionsFor(image: Payload, command: RackCommand): Pick<RackOptions, 'images' | 'containers' | 'disk_bytes'> {
  if ('kernel' in image) return { images: [dirname(image.kernel)] }
  if ('installer' in image) return { images: [image.installer.folder] }
  return 'reference' in image ? forContainer(image, command) : forDisk(image)
}

const forDisk = ({ path, virtual_bytes }: Image) => ({
  images: [dirname(path)],
  disk_bytes: Math.max(DEFAULT_DISK_BYTES, virtual_bytes + DISK_MARGIN_BYTES),
})

const forContainer = ({ reference, bytes }: ContainerImage, { offline }: RackCommand) => {
  const [host = '', name = ''] = splitReference(reference)
  return {
    images: [],
    containers: { host, ...(offline ? { sync: name } : {}) },
    disk_bytes: CONTAINER_DISK_BYTES + bytes * UNPACKED_FACTOR,
  }
}

/** Puts the image where the appliance is to find it: upstream, or in its mirror, with upstream dead. */
async function offer(rack: Rack, { command, display, signal }: Run, image: ContainerImage): Promise<void> {
  const [host = '', name = ''] = splitReference(image.reference)
  display.say(`image: ${image.kind}, ${inMiB(image.bytes)}, ${image.reference} at ${image.digest}`)
  await rack.upstream?.push(image.source, name)
  if (!command.offline) return
  const began_ms = Date.now()
  await rack.rackstrap(['registry', 'sync', host], signal)
  await rack.upstream?.cut()
  display.say(`the mirror has it after ${((Date.now() - began_ms) / 1000).toFixed(1)} s; upstream is cut off`)
}

async function deploy(rack: Rack, { command, display, signal }: Run, image: Payload): Promise<number> {
  const timelines = await deployRack(rack, {
    ...{ image, node: command.node, signal },
    onStage: (machine, stage) => display.stage(machine, stage),
    onOngoing: (ongoing) => display.show(ongoing),
  })
  display.end()
  const result = await resultOf(command, image, timelines, rack)
  if (command.json) await writeFile(resolve(command.json), `${JSON.stringify(result, null, 2)}\n`)
  display.say(summary(result))
  return STATUS.done
}

async function stayUp(rack: Rack, display: Display, signal: AbortSignal): Promise<void> {
  display.say(howToLookAround(rack))
  // Ctrl-C is how this ends.
  while (!signal.aborted) await setTimeout(DAY_MS, undefined, { signal }).catch(() => {})
}

const interrupted = new AbortController()
// A terminal that is gone takes no more words, and its signal comes as well: that must not end the clearing away.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
const display = createDisplay(process.stdout)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
  process.on(signal, () => {
    if (!interrupted.signal.aborted) display.say('stopping; everything is cleared away ...')
    interrupted.abort()
  })
}
void npmGone().then(() => interrupted.abort())
process.exit(await main(display, interrupted.signal))
