/**
 * Deploys in the virtual rack, from power-on: the agent's first call, the image written, the operating system's
 * phone-home; and what went over the wire. As root. Options: --firmware bios,uefi  --memory 1024  --image FILE
 * --runs 1  --interface direct: deploy interfaces, one beside the other with the same bytes; custom-agent writes them
 * by the layer of its README, from a server beside the appliance
 * --smallest-memory: besides, the least memory (256 to 1024 MiB) with which a machine can be deployed; takes long.
 */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeWith, prepareAcme } from '../rack/acme-layer.ts'
import { deployRack } from '../rack/deploy.ts'
import { type Image, prepareImage } from '../rack/image.ts'
import { DEFAULT_DISK_BYTES, startRack } from '../rack/rack.ts'
import { ensureRamdisk, type Ramdisk } from '../rack/ramdisk.ts'
import { serveFile } from '../rack/serve-file.ts'
import { FIRMWARES, type Firmware } from '../rack/steel/machine.ts'
import type { Timeline } from '../rack/timeline.ts'
import { MIB, printTable, type Row, round, saveResult } from './measure.ts'

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    firmware: { type: 'string', default: FIRMWARES.join(',') },
    memory: { type: 'string', default: '1024' },
    image: { type: 'string' },
    runs: { type: 'string', default: '1' },
    interface: { type: 'string', default: 'direct' },
    'smallest-memory': { type: 'boolean', default: false },
  },
  strict: false,
})
/** Room for the config drive and the second partition table behind an image. */
const DISK_MARGIN_BYTES = 1024 ** 3
const LEAST_MIB = 256
const MOST_MIB = 1024
const STEP_MIB = 32
/** A machine without enough memory hangs, or boots again and again. */
const PATIENCE_S = 120

type Prepared = { ramdisk: Ramdisk; image: Image; signal: AbortSignal; acme?: { ramdisk: Ramdisk; file: string } }
type Deploy = { firmware: Firmware; memory_mib: number; deploy_interface?: string; silence_limit_s?: number }

async function deployOne({ image, signal, acme, ...prepared }: Prepared, deploy: Deploy): Promise<Row> {
  const { firmware, memory_mib, deploy_interface = 'direct', silence_limit_s } = deploy
  const own = deploy_interface === 'custom-agent' ? acme : undefined
  const ramdisk = own?.ramdisk ?? prepared.ramdisk
  await using rack = await startRack({
    ...{ ramdisk, images: [dirname(image.path)], firmware, memory_mib, machines: 1, signal },
    config: { DEFAULT: { enabled_deploy_interfaces: deploy_interface } },
    disk_bytes: Math.max(DEFAULT_DISK_BYTES, image.virtual_bytes + DISK_MARGIN_BYTES),
  })
  await using server = own && (await serveFile(rack, own.file))
  const [timeline] = await deployRack(rack, {
    ...{ image, signal, silence_limit_s },
    node: server ? nodeWith('acme', server.url) : { deploy_interface },
    onStage: (_machine, { name, at_s }) => process.stdout.write(`  ${at_s.toFixed(1).padStart(7)} s  ${name}\n`),
    onOngoing: () => {},
  })
  if (!timeline) throw new Error('the rack has no machine')
  const [bytes = Number.NaN] = await rack.hardware.network.bytesToMachines()
  const console = await readFile(rack.hardware.machines[0]?.options.console ?? '', 'utf8')
  return {
    interface: deploy_interface,
    firmware,
    'memory MiB': memory_mib,
    ...timesOf(timeline),
    ...(await bytesOf(bytes, ramdisk, image)),
    ...peakOf(console),
  }
}

/** Seconds since the machine's power was switched on, but the last: that one counts from the deploy call. */
function timesOf(timeline: Timeline): Row {
  const on_s = timeline.at_s('machine on') ?? Number.NaN
  const sincePower = (stage: string) => round((timeline.at_s(stage) ?? Number.NaN) - on_s)
  return {
    'first call s': sincePower('lookup'),
    'written s': sincePower('step deploy.write_image'),
    'off s': sincePower('machine off'),
    'on again s': sincePower('machine on again'),
    'home s': sincePower('phone-home'),
    'deploy to home s': round(timeline.at_s('phone-home') ?? Number.NaN),
  }
}

async function bytesOf(bytes: number, ramdisk: Ramdisk, image: Image): Promise<Row> {
  return {
    'wire MiB': round(bytes / MIB, 0),
    'ramdisk MiB': round(ramdisk.bytes / MIB, 0),
    'image MiB': round(image.virtual_bytes / MIB, 0),
    'image data MiB': round(((await stat(image.path)).blocks * 512) / MIB, 0),
  }
}

/** When the agent tells it on its console. */
function peakOf(console: string): Row {
  const [, peak] = /peak memory (\d+) MiB/.exec(console) ?? []
  return { 'agent peak MiB': peak === undefined ? undefined : Number(peak) }
}

/** By halves; a deploy that fails, or that gives no sign for a while, did not have enough. */
async function smallestMemory(prepared: Prepared, firmware: Firmware): Promise<Row> {
  let enough = MOST_MIB
  let tooLittle = LEAST_MIB - STEP_MIB
  while (enough - tooLittle > STEP_MIB) {
    const memory_mib = Math.round((enough + tooLittle) / 2 / STEP_MIB) * STEP_MIB
    process.stdout.write(`${firmware} with ${memory_mib} MiB of memory\n`)
    const works = await deployOne(prepared, { firmware, memory_mib, silence_limit_s: PATIENCE_S }).then(
      () => true,
      (error: unknown) => {
        prepared.signal.throwIfAborted()
        process.stdout.write(`  not enough: ${error instanceof Error ? error.message : error}\n`)
        return false
      },
    )
    if (works) enough = memory_mib
    else tooLittle = memory_mib
  }
  return { firmware, 'smallest memory MiB': enough }
}

async function main(signal: AbortSignal): Promise<void> {
  const image = typeof values.image === 'string' ? values.image : undefined
  const interfaces = String(values.interface).split(',')
  const own = { ramdisk: await ensureRamdisk(signal), image: await prepareImage(image, signal, () => {}), signal }
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-bench-'))
  const acme = interfaces.includes('custom-agent') ? await prepareAcme(folder, own.image, signal) : undefined
  const prepared = { ...own, ...(acme && { acme }) }
  const firmwares = FIRMWARES.filter((one) => String(values.firmware).split(',').includes(one))
  const rows: Row[] = []
  const smallest: Row[] = []
  const runs = Array.from({ length: Number(values.runs) }, (_, index) => index + 1)
  for (const firmware of firmwares) {
    for (const [run, deploy_interface] of runs.flatMap((run) => interfaces.map((one) => [run, one] as const))) {
      process.stdout.write(`${firmware}, ${deploy_interface}, run ${run}\n`)
      rows.push(await deployOne(prepared, { firmware, memory_mib: Number(values.memory), deploy_interface }))
    }
    if (values['smallest-memory']) smallest.push(await smallestMemory(prepared, firmware))
  }
  await rm(folder, { recursive: true })
  printTable('Deploys in the virtual rack; seconds from power-on', rows)
  if (smallest.length > 0) printTable('Smallest memory', smallest)
  await saveResult('deploy', { image: prepared.image, rows, smallest })
}

const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupted.abort())
await main(interrupted.signal)
process.exit()
