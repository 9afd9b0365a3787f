/** `rackstrap ramdisk build`: builds the deploy ramdisk with the layers of the enabled plugins, by means of pxe. */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { lchown, readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { buildRamdisk, type LayerSource } from '@appliance/pxe/build-ramdisk'
import { ownLayerSources } from '@appliance/pxe/own-layers'
import { type Command, Option } from 'commander'
import { ConfigInvalid } from '../config/read.ts'
import { createLog } from '../log.ts'
import { thisBox } from '../serve/box.ts'
import { loadSettings } from '../serve/settings.ts'
import { print } from './output.ts'
import { endingSignal } from './until-stopped.ts'

type BuildOptions = {
  config?: string
  output: string
  cache?: string
  flavour: 'hardware' | 'virtual'
  mirror?: string
  layer: readonly string[]
}

const log = createLog('info', (line) => process.stderr.write(`${JSON.parse(line).message}\n`))

async function build({ output, cache, flavour, mirror, layer, config }: BuildOptions): Promise<void> {
  const stop = new AbortController()
  void endingSignal().then(() => stop.abort(new Error('interrupted; nothing is left half-made')))
  const { plugins, config: settings } = await loadSettings(config, thisBox, () => createLog('error', () => {}))
  const brought = await Promise.all(plugins.plugins.map(({ manifest }) => layersIn(manifest.folder)))
  const own = await Promise.all(settings.pxe.ramdisk_layer_path.map(layersAt))
  // `--layer` may name a layer that a plugin brings as well.
  const folders = new Set([...brought.flat(), ...own.flat(), ...layer.map((folder) => resolve(folder))])
  const folder = resolve(output)
  const owner = ownerOf(folder)
  const made = mkdirSync(folder, { recursive: true })
  const built = await buildRamdisk({
    output: folder,
    cache: resolve(cache ?? join(folder, '.cache')),
    flavour,
    layers: [
      ...ownLayerSources(),
      ...[...folders].map((path): LayerSource => ({ name: basename(path), folder: path })),
    ],
    ...(mirror === undefined ? {} : { mirror }),
    log: (message, fields) => log.info(`${message} ${JSON.stringify(fields ?? {})}`),
    signal: stop.signal,
  })
  await giveTo(owner, folder, made)
  const more = Object.entries(built.layers).map(([name, bytes]) => `, layer ${name} ${mib(bytes)}`)
  await print(`${built.path}: ${mib(built.bytes)}${more.join('')}, ${built.digest}\n`)
}

const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`

type Owner = { uid: number; gid: number }

/** The owner of the folder, or of the folder in which it will be made. */
function ownerOf(folder: string): Owner {
  const found = statSync(folder, { throwIfNoEntry: false })
  return found ?? ownerOf(dirname(folder))
}

/**
 * Gives the result to the account that serves it, whatever root's umask is: only root can build. The cache stays
 * root's.
 */
async function giveTo({ uid, gid }: Owner, folder: string, made: string | undefined): Promise<void> {
  if (uid === process.getuid?.()) return
  for (const { name } of (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile()))
    await lchown(join(folder, name), uid, gid)
  for (let one = folder; made !== undefined && one.startsWith(made); one = dirname(one)) await lchown(one, uid, gid)
}

/** Folders of layers that a plugin's folder brings; most bring none. */
const layersIn = (folder: string): Promise<string[]> => foldersIn(join(folder, 'layers')).catch(() => [])

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => resolve(folder, name))
}

/** An entry of [pxe] ramdisk_layer_path: one layer, or the folder of several. @throws ConfigInvalid */
async function layersAt(path: string): Promise<string[]> {
  if (existsSync(join(path, 'layer.json'))) return [resolve(path)]
  const folders = await foldersIn(path).catch((cause: Error) => {
    throw new ConfigInvalid(`[pxe] ramdisk_layer_path names ${path}, which cannot be read: ${cause.message}`, { cause })
  })
  const layers = folders.filter((folder) => existsSync(join(folder, 'layer.json')))
  if (layers.length > 0) return layers
  throw new ConfigInvalid(
    `[pxe] ramdisk_layer_path names ${path}, which holds no layer: expected a folder with layer.json, or a folder of such folders.`,
  )
}

export function addRamdiskCommands(ramdisk: Command, configOption: readonly [string, string]): void {
  ramdisk
    .command('build')
    .description(
      'build the deploy ramdisk from Debian packages, with the layers of the enabled plugins and of [pxe] ramdisk_layer_path',
    )
    .requiredOption('--output <folder>', 'where it goes, e.g. /var/lib/rackstrap/ramdisk')
    .addOption(
      new Option('--flavour <flavour>', 'drivers for real machines, or only for virtual ones')
        .choices(['hardware', 'virtual'])
        .default('hardware'),
    )
    .option('--cache <folder>', 'keeps what takes long to make (default: .cache in the output folder)')
    .option('--mirror <url>', "Debian archive, when it is not to be the one of this box's apt sources")
    .option(
      '--layer <folder>',
      'a layer beside those of the enabled plugins; may be given again',
      (folder, before: readonly string[]) => [...before, folder],
      [],
    )
    .option(...configOption)
    .action(build)
}
