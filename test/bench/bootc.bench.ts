/**
 * Containers that become operating systems, in the virtual rack: seconds, memory and bytes of both ways, beside a
 * `direct` deploy of the same bytes. As root; with the real bootc when RACKSTRAP_BOOTC_IMAGE_SCRIPT names the script
 * that builds its image. Takes half an hour. Options: --large  an image of 2 GB instead  --smallest-memory  instead:
 * with how little memory machines can be deployed
 * --only WHAT,WHAT  these deploys of the plan by their names (bootc/plans.ts)
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type BootcImage, ensureBootcImage } from '../rack/bootc-image/build.ts'
import { ensurePadded } from '../rack/bootc-image/padded.ts'
import { type ContainerImage, OWN_HOST, OWN_REPOSITORY, OWN_TAG, prepareContainer } from '../rack/container-image.ts'
import type { Image } from '../rack/image.ts'
import { type Rack, startRack } from '../rack/rack.ts'
import { ensureRamdisk } from '../rack/ramdisk.ts'
import { type Deployed, deployOne } from './bootc/deploy-one.ts'
import { takeInstalled } from './bootc/installed-image.ts'
import { PLANS, type Planned } from './bootc/plans.ts'
import { GIB, MIB, printTable, type Row, round, saveResult } from './measure.ts'

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: { large: { type: 'boolean' }, 'smallest-memory': { type: 'boolean' }, only: { type: 'string' } },
  strict: false,
})
const PAD_MIB = 1600
const NAME = `${OWN_REPOSITORY}:${OWN_TAG}`
/** A machine without enough memory hangs, or boots again and again. */
const PATIENCE_S = 300

type Bench = { rack: Rack; container: ContainerImage; plan: readonly Planned[]; folder: string; signal: AbortSignal }
/** What failed has its reason. */
type Result = Deployed | { row: Row }

async function deployAll(bench: Bench): Promise<Result[]> {
  const { rack, plan, signal } = bench
  const results: Result[] = []
  const failed = new Set<string>()
  let installed: Image | undefined
  for (const [machine, planned] of plan.entries()) {
    const { what, way, memory_mib, untilFailure = false } = planned
    if (untilFailure && failed.has(way)) continue
    try {
      if (way === 'direct') installed ??= await takeInstalled(rack, bench.folder)
      const order =
        way === 'direct' && installed
          ? { image: installed }
          : { image: bench.container, instance_info: { bootc_install: way } }
      const silence_limit_s = untilFailure ? PATIENCE_S : undefined
      results.push(await deployOne({ what, rack, machine, signal, silence_limit_s, ...order }))
    } catch (error) {
      signal.throwIfAborted()
      failed.add(way)
      const reason = error instanceof Error ? error.message : String(error)
      process.stdout.write(`  failed: ${reason}\n`)
      results.push({ row: { what, 'memory MiB': memory_mib, failed: reason } })
    }
    await save(bench, results)
  }
  return results
}

const save = ({ container: { kind, bytes } }: Bench, results: readonly Result[]) =>
  saveResult(`bootc${values.large ? '-large' : ''}${values['smallest-memory'] ? '-memory' : ''}`, {
    image: kind,
    image_bytes: bytes,
    results,
  })

const TABLES: Readonly<Record<string, readonly string[]>> = {
  'Seconds (ready, active and home: since the deploy call)': [
    ...['ready s', 'guest s', 'guest pull s', 'guest install s', 'to agent s', 'install s', 'finish s'],
    ...['active s', 'home s', 'power-on to home s'],
  ],
  'Memory, MiB': ['agent used MiB', 'guest used MiB', 'guest QEMU MiB', 'appliance MiB before', 'appliance peak MiB'],
  'Bytes, MiB': ['upstream MiB', 'wire MiB', 'image sent MiB'],
}

function print(results: readonly Result[]): void {
  const rows = results.map(({ row }) => row)
  for (const [title, columns] of Object.entries(TABLES)) {
    printTable(
      title,
      rows.map((row) =>
        Object.fromEntries(['what', 'memory MiB', ...columns, 'failed'].map((name) => [name, row[name]])),
      ),
    )
  }
  const compared = ratios(rows)
  if (compared.length > 0) printTable('Against direct with the same bytes', compared)
}

/** Each with the one that came next: a box gets more and less busy within minutes. */
const PAIRS = { 'appliance, second': 'direct, first', 'appliance, third': 'direct, again' }

function ratios(rows: readonly Row[]): Row[] {
  const named = (name: string) => rows.find(({ what }) => what === name)
  return Object.entries(PAIRS).flatMap(([what, beside]) => {
    const [row, direct] = [named(what), named(beside)]
    if (!row || !direct) return []
    const ratio = (column: string) => round(Number(row[column]) / Number(direct[column]), 2)
    return [{ what, beside, 'to home': ratio('home s'), 'from power-on': ratio('power-on to home s') }]
  })
}

/** Under the name that machines are installed from, as the rack's own has it. */
async function padded(container: ContainerImage, versions: BootcImage, signal: AbortSignal): Promise<ContainerImage> {
  const layout = await ensurePadded(versions, PAD_MIB)
  const { bytes, digest } = await prepareContainer(layout, signal)
  return { ...container, layout, bytes, digest, source: `oci:${layout}` }
}

async function main(signal: AbortSignal): Promise<void> {
  const versions = await ensureBootcImage(signal)
  const own = await prepareContainer(undefined, signal)
  const container = values.large ? await padded(own, versions, signal) : own
  process.stdout.write(`with the ${versions.kind}: ${Math.round(container.bytes / MIB)} MiB compressed\n`)
  const only = typeof values.only === 'string' ? values.only.split(',') : undefined
  const plan = PLANS[values['smallest-memory'] ? 'memory' : values.large ? 'large' : 'usual'].filter(
    ({ name }) => !only || only.includes(name),
  )
  const ramdisk = await ensureRamdisk(signal)
  const folder = await mkdtemp(join(tmpdir(), 'rackstrap-bench-'))
  try {
    await using rack = await startRack({
      ...{ ramdisk, images: [folder], containers: { host: OWN_HOST }, signal },
      ...{ machines: plan.length, memory_mib: plan.map(({ memory_mib }) => memory_mib) },
      disk_bytes: (values.large ? 16 : 8) * GIB,
    })
    await rack.upstream?.push(container.source, NAME)
    print(await deployAll({ rack, container, plan, folder, signal }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupted.abort())
await main(interrupted.signal)
process.exit()
