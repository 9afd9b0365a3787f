/**
 * `rackstrap bundle ...`: carries images and files over an air gap. What a bundle is, is for the registry mirror to
 * know.
 */
import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import process from 'node:process'
import {
  type BundleIndex,
  bundleBytes,
  filesIn,
  findFiles,
  type ImportResult,
  importArchive,
  importBundle,
  isBundle,
  parseNaming,
  parsePlatform,
  planBundle,
  readBundle,
  readKnown,
  saveBundle,
  sizeOfBundle,
  sourceOf,
  Taken,
  takeInventory,
  withRegistry,
} from '@appliance/registry-mirror/bundle'
import { type Command, InvalidArgumentError } from 'commander'
import { messageOf } from '../errors.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { loadSettings } from '../serve/settings.ts'
import { print } from './output.ts'
import { Progress, sizeText } from './progress.ts'
import { endAtSignal, endingSignal } from './until-stopped.ts'

const PIECE_BYTES = 1024 * 1024
const STDIO = '-'

type ConfigOption = { config?: string }
type Platform = ReturnType<typeof parsePlatform>
type ExportOptions = ConfigOption & {
  output: string
  platform: readonly Platform[]
  referrers: boolean
  since?: string
  file: readonly string[]
}

const log = createLog('error', (line) => process.stderr.write(`${JSON.parse(line).message}\n`))
const say = (line: string) => process.stderr.write(`${line}\n`)

const registryOf = async ({ config }: ConfigOption) =>
  (await loadSettings(config, thisBox, () => createLog('error', () => {}))).registry

async function exportImages(images: readonly string[], options: ExportOptions): Promise<void> {
  endAtSignal()
  const { output, platform: platforms, referrers, since } = options
  if (images.length === 0 && options.file.length === 0)
    throw new Error("Nothing to export: name an image, '*' for all, or a --file.")
  const registry = await registryOf(options)
  const known = since === undefined ? undefined : await readKnown(open(since))
  const files = await findFiles(options.file)
  await withRegistry(registry, log, async (client) => {
    const index = await planBundle(client, { images, platforms, referrers, files, ...(known && { known }) })
    const progress = new Progress('export', process.stderr)
    if (output === STDIO) for await (const bytes of bundleBytes(index, sourceOf(client, files))) await print(bytes)
    else {
      const before = await saveBundle(resolve(output), index, sourceOf(client, files), progress.update)
      progress.end()
      if (before > 0) say(`Went on after the ${sizeText(before)} that an earlier try had written.`)
    }
    say(`${output === STDIO ? 'Written' : output}: ${summaryOf(index)}.`)
  })
}

type ImportOptions = ConfigOption & { files?: string | boolean; as?: ReturnType<typeof parseNaming> }

async function importImages(path: string, options: ImportOptions): Promise<void> {
  const { storage_path, ...registry } = await registryOf(options)
  const stop = new AbortController()
  void endingSignal().then(() => stop.abort())
  const files_folder = typeof options.files === 'string' ? resolve(options.files) : options.files === false && false
  const progress = new Progress('import', process.stderr)
  const taken = new Taken()
  try {
    const given = {
      storage_path,
      taken,
      onProgress: progress.update,
      ...(options.files !== undefined && { files_folder }),
    }
    const isArchive = path !== STDIO && !(await looksLikeBundle(path))
    const result = await withRegistry({ storage_path, ...registry }, log, (client) =>
      isArchive
        ? importArchive(client, path, { ...given, ...(options.as && { naming: options.as }) })
        : importBundle(client, open(path, stop.signal), given),
    )
    progress.end()
    say(`Imported: ${resultText(result)}.`)
  } catch (error) {
    progress.end()
    const reason = stop.signal.aborted ? 'interrupted.' : messageOf(error)
    const told = reason.endsWith(taken.told) ? reason : `${reason} ${taken.told}`
    throw new Error(told, { cause: error })
  }
}

async function inspect(path: string, { json, verify }: { json?: true; verify?: true }): Promise<void> {
  const progress = new Progress('verify', process.stderr)
  const look = async ({ index, entries }: Parameters<Parameters<typeof readBundle>[1]>[0]) => {
    // What is not read is verified all the same.
    if (verify) for await (const _ of entries());
    return index
  }
  const index = await readBundle(open(path), look, verify && progress.update)
  progress.end()
  await print(json ? `${JSON.stringify(index, undefined, 2)}\n` : describe(index))
  if (verify) say('Every byte is as its index says.')
}

async function inventory(options: ConfigOption & { files?: string }): Promise<void> {
  endAtSignal()
  const files = options.files === undefined ? [] : await filesIn(options.files)
  const found = await withRegistry(await registryOf(options), log, (client) =>
    takeInventory(client, { files, now: new Date() }),
  )
  await print(`${JSON.stringify(found, undefined, 1)}\n`)
}

const looksLikeBundle = (path: string) =>
  isBundle(path).catch((error: Error) => {
    throw new Error(`${path} cannot be read: ${error.message}`, { cause: error })
  })

async function* open(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
  try {
    if (path === STDIO) yield* process.stdin
    else yield* createReadStream(path, { highWaterMark: PIECE_BYTES, ...(signal && { signal }) })
  } catch (error) {
    throw new Error(`${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`

const summaryOf = (index: BundleIndex) =>
  `${counted(index.images.length, 'image')}, ${counted(index.blobs.length, 'blob')}, ` +
  `${counted(index.manifests.length, 'manifest')}, ${counted(index.files.length, 'file')}, ${sizeText(sizeOfBundle(index))}` +
  (index.needs.length > 0 ? `; builds on ${index.needs.length} that the other side has` : '')

const resultText = (result: ImportResult) =>
  (['blob', 'manifest', 'tag', 'file'] as const)
    .map((one) => {
      const { taken, there } = result[`${one}s`]
      return `${counted(taken, one)}${there > 0 ? ` (${there} more there already)` : ''}`
    })
    .join(', ')

function describe(index: BundleIndex): string {
  const images = index.images.flatMap(({ repository, digest, tags }) =>
    tags.length > 0 ? tags.map((tag) => `${repository}:${tag}  ${digest}`) : [`${repository}@${digest}`],
  )
  const files = index.files.map(({ name, size_bytes, digest }) => `${name}  ${sizeText(size_bytes)}  ${digest}`)
  const lines = [`Made ${index.created_at}: ${summaryOf(index)}`, ...images, ...files]
  return `${lines.join('\n')}\n`
}

const collect =
  <T>(read: (text: string) => T) =>
  (text: string, before: readonly T[]): T[] => [...before, read(text)]

function platformOf(text: string): Platform {
  try {
    return parsePlatform(text)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

function namingOf(text: string): ReturnType<typeof parseNaming> {
  try {
    return parseNaming(text)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

export function addBundleCommands(bundle: Command, configOption: readonly [string, string]): void {
  bundle
    .command('export')
    .description(
      'write images, with all that they refer to and that refers to them, into one tar (an OCI image layout)',
    )
    .argument('[image...]', "NAME (all its tags), NAME:TAG or NAME@DIGEST; '*' stands for anything, and alone for all")
    .requiredOption('--output <file>', "where it goes; '-' is standard output")
    .option(
      '--platform <platform>',
      'of an index, only this, e.g. linux/amd64; may be repeated',
      collect(platformOf),
      [],
    )
    .option('--no-referrers', 'without signatures, SBOMs and what else refers to an image')
    .option('--since <file>', 'an older bundle, or an inventory of the other side: only what it lacks is written')
    .option(
      '--file <path>',
      'a file that goes with them, as a disk image, or a folder of such, as the ramdisk; NAME=PATH calls it NAME; may be repeated',
      collect(String),
      [],
    )
    .option(...configOption)
    .action(exportImages)
  bundle
    .command('import')
    .description(
      'take a bundle, or an OCI archive of skopeo or podman, into the registry; may be interrupted and repeated',
    )
    .argument('<file>', "the bundle or archive; '-' is standard input, for a bundle alone")
    .option(
      '--as <image>',
      'what the image of an archive is called here, when the archive does not tell: REPOSITORY:TAG',
      namingOf,
    )
    .option('--files <folder>', 'where its files go')
    .option('--no-files', 'leave its files')
    .option(...configOption)
    .action(importImages)
  bundle
    .command('inspect')
    .description('tell what a bundle holds')
    .argument('<file>', "the bundle; '-' is standard input")
    .option('--json', 'print its index')
    .option('--verify', 'read all of it, and compare every byte with its digest')
    .action(inspect)
  bundle
    .command('inventory')
    .description('print what the registry has, for `bundle export --since` on the other side')
    .option('--files <folder>', 'with the files in it, as they came by `bundle import --files`')
    .option(...configOption)
    .action(inventory)
}
