/** `npm run rack`: deploys bare machines in a virtual rack on this box, and tells each stage as it happens. */
import { writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createLogFolder } from '../cache.ts'
import { deployRack } from '../deploy.ts'
import { explain } from '../failure.ts'
import { type Image, prepareImage } from '../image.ts'
import { DEFAULT_DISK_BYTES, type Rack, startRack } from '../rack.ts'
import { ensureRamdisk, type Ramdisk } from '../ramdisk.ts'
import { createDisplay, type Display } from './display.ts'
import { HELP, type RackCommand, readOptions, UsageError } from './options.ts'
import { prepare } from './prepare.ts'
import { howToLookAround, resultOf, summary } from './report.ts'

type Run = { command: RackCommand; display: Display; logs: string; signal: AbortSignal }

/** Room for the config drive and the second partition table behind an image. */
const DISK_MARGIN_BYTES = 1024 ** 3
const DAY_MS = 86_400_000
const STATUS = { done: 0, failed: 1, usage: 2, interrupted: 130 }

async function main(display: Display, signal: AbortSignal): Promise<number> {
  const command = readCommand(display)
  if (typeof command === 'number') return command
  const logs = await createLogFolder(`rack-${process.pid}`)
  try {
    return await runRack({ command, display, logs, signal })
  } catch (error) {
    display.end()
    display.say(signal.aborted ? 'stopped; nothing is left running' : explain(error, logs))
    return signal.aborted ? STATUS.interrupted : STATUS.failed
  }
}

function readCommand(display: Display): RackCommand | number {
  try {
    const command = readOptions(process.argv.slice(2), process.env)
    if (command !== 'help') return command
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
  const [ramdisk, image] = await prepare(display, signal, [
    { name: 'ramdisk', make: (either) => ensureRamdisk(either) },
    { name: 'image', make: (either, progress) => prepareImage(command.image, either, progress) },
  ])
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

async function start({ command, display, logs, signal }: Run, ramdisk: Ramdisk, image: Image): Promise<Rack> {
  const { firmware, nodes: machines, memory_mib } = command
  const rack = await startRack({
    ...{ ramdisk, images: [dirname(image.path)], firmware, machines, memory_mib, logs, signal },
    disk_bytes: Math.max(DEFAULT_DISK_BYTES, image.virtual_bytes + DISK_MARGIN_BYTES),
  })
  display.say(`rack of ${machines} with ${firmware} firmware is up in network namespace ${rack.name}; logs: ${logs}`)
  return rack
}

async function deploy(rack: Rack, { command, display, signal }: Run, image: Image): Promise<number> {
  const timelines = await deployRack(rack, {
    image,
    signal,
    onStage: (machine, stage) => display.stage(machine, stage),
    onOngoing: (ongoing) => display.show(ongoing),
  })
  display.end()
  const result = await resultOf(command, image, timelines, await rack.hardware.network.bytesToMachines())
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
const display = createDisplay(process.stdout)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (!interrupted.signal.aborted) display.say('stopping; everything is cleared away ...')
    interrupted.abort()
  })
}
process.exit(await main(display, interrupted.signal))
