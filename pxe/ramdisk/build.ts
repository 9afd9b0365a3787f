/** Builds the deploy ramdisk from Debian packages, the Node binary and the agent. Never changes the box it runs on. */
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { PxeError } from '../config.ts'
import { bundle } from './bundle.ts'
import { compressArchive, type Entry, packCpio } from './cpio.ts'
import { sha256 } from './files.ts'
import { type Layer, type LayerSource, readLayer } from './layer.ts'
import { type Piece, presentRamdisk, publish, type Ramdisk } from './publish.ts'
import { type Flavour, KERNEL_PARAMETERS } from './recipe.ts'
import { coreDigest, slowPieces } from './slow-pieces.ts'

export type { LayerSource, Ramdisk }
export type BuildOptions = {
  /** Folder that gets ramdisk.json and the files that it names; made when it is not there. */
  output: string
  /** Keeps what takes long to make; may be emptied at any time. Left out: the folder .cache in `output`. */
  cache?: string | undefined
  flavour: Flavour
  /**
   * Beside the core, each in a file of its own: a machine fetches those that its deploy asks for. None when left out.
   */
  layers?: readonly LayerSource[]
  /** One call for each stage, for a person to read; the last one tells digest, bytes and seconds. */
  log(message: string, fields?: Record<string, unknown>): void
  /** Aborted: nothing half-made stays, and `signal.reason` is thrown. */
  signal: AbortSignal
  /** Address of a Debian archive, when it is not to be the one of this box's apt sources. */
  mirror?: string | undefined
}

const HERE = import.meta.dirname

/**
 * Takes a minute or two, or a second when only the agent, init, or the own files of layers have changed.
 * @returns where it is, the digest of its recipe, the bytes that every machine fetches, and those of each layer
 * @throws PxeError  not root, a Debian package is missing on this box, no network, a layer that is none
 */
export async function buildRamdisk(options: BuildOptions): Promise<Ramdisk> {
  const { flavour, log, signal, mirror } = options
  const output = resolve(options.output)
  const cache = options.cache === undefined ? join(output, '.cache') : resolve(options.cache)
  const started = performance.now()
  const node = nodeBinary()
  const layers = await readLayers(options)
  const recipes = layers.map(({ recipe }) => recipe)
  const core = await coreDigest(flavour, node)
  const agent = await agentArchive()
  const own = await Promise.all(
    layers.map(async (layer) => ({ name: layer.recipe.name, archive: await ownFiles(layer) })),
  )
  const digest = `sha256:${sha256(core, JSON.stringify(recipes), agent, ...own.map(({ archive }) => archive))}`
  const present = await presentRamdisk(output, digest)
  if (present) {
    log('the deploy ramdisk is up to date', { ...present, flavour })
    return present
  }
  const pieces = await slowPieces({ cache, flavour, log, signal, mirror, node }, core, recipes)
  signal.throwIfAborted()
  const last = { name: 'agent', content: await compressArchive(agent) }
  const over = own.map(async ({ name, archive }): Promise<Piece> => {
    // The kernel unpacks one archive after the other.
    return {
      name,
      content: Buffer.concat([pieces.layers.get(name) ?? Buffer.alloc(0), await compressArchive(archive)]),
    }
  })
  const ramdisk = await publish(
    output,
    { digest, kernel_params: KERNEL_PARAMETERS[flavour] },
    [...pieces.core, last],
    await Promise.all(over),
  )
  log('deploy ramdisk built', { ...ramdisk, flavour, duration_s: Math.round((performance.now() - started) / 100) / 10 })
  return ramdisk
}

/** The package that also runs the appliance; its place depends on where npm put it. */
function nodeBinary(): string {
  const name = `node-linux-${process.arch}`
  try {
    return join(createRequire(import.meta.url).resolve(`${name}/package.json`), '../bin/node')
  } catch {
    // The Node that runs this code will run the agent as well.
    return process.execPath
  }
}

/** @returns the layers in the order of their names, so that the same layers make the same digest */
async function readLayers({ layers = [], flavour }: BuildOptions): Promise<Layer[]> {
  const sorted = [...layers].sort((a, b) => (a.name < b.name ? -1 : 1))
  const twice = sorted.find(({ name }, index) => sorted[index + 1]?.name === name)
  if (twice) {
    const folders = sorted.filter(({ name }) => name === twice.name).map(({ folder }) => folder)
    throw new PxeError(`Two layers are named "${twice.name}": ${folders.join(' and ')}. Give one of them another name.`)
  }
  return Promise.all(sorted.map((source) => readLayer(source, flavour)))
}

/** The agent as one script, and the files of root/ as they stand. */
async function agentArchive(): Promise<Buffer> {
  const script = Buffer.from(bundle(join(HERE, 'agent/main.ts')))
  const files = await filesAsTheyAre(join(HERE, 'root'))
  return packCpio([...files, { path: 'usr/lib/rackstrap/agent.js', kind: 'file', content: script }])
}

/** What a layer brings itself: the files of its root/, and its deploy steps as one script. */
async function ownFiles({ recipe: { name }, root, steps }: Layer): Promise<Buffer> {
  const files = await filesAsTheyAre(root)
  if (steps === undefined) return packCpio(files)
  const script = Buffer.from(bundle(steps))
  return packCpio([...files, { path: `usr/lib/rackstrap/steps/${name}.js`, kind: 'file', content: script }])
}

/** A folder that is not there has no files. */
async function filesAsTheyAre(root: string): Promise<Entry[]> {
  const found = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
  const names = found.filter((entry) => entry.isFile())
  const paths = names.map((entry) => join(entry.parentPath, entry.name)).sort()
  return Promise.all(
    paths.map(async (path): Promise<Entry> => {
      const content = await readFile(path)
      const executable = content.toString('latin1', 0, 2) === '#!'
      return { path: path.slice(root.length + 1), kind: 'file', content, executable }
    }),
  )
}
