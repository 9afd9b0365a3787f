/** Builds the deploy ramdisk from Debian packages, the Node binary and the agent. Never changes the box it runs on. */
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { compressArchive, type Entry, packCpio } from './cpio.ts'
import { sha256 } from './files.ts'
import { linkAgent } from './link-agent.ts'
import { presentRamdisk, publish, type Ramdisk } from './publish.ts'
import { type Flavour, KERNEL_PARAMETERS } from './recipe.ts'
import { slowDigest, slowPieces } from './slow-pieces.ts'

export type { Flavour, Ramdisk }
export type BuildOptions = {
  /** Folder that gets ramdisk.json and the files that it names; made when it is not there. */
  output: string
  /** Keeps what takes long to make; may be emptied at any time. Left out: the folder .cache in `output`. */
  cache?: string | undefined
  flavour: Flavour
  /** One call for each stage, for a person to read; the last one tells digest, bytes and seconds. */
  log(message: string, fields?: Record<string, unknown>): void
  /** Aborted: nothing half-made stays, and `signal.reason` is thrown. */
  signal: AbortSignal
  /** Address of a Debian archive, when it is not to be the one of this box's apt sources. */
  mirror?: string | undefined
}

const HERE = import.meta.dirname

/**
 * Takes half a minute, or a second when only agent or init have changed.
 * @returns where it is, the digest of its recipe, and the bytes that a machine fetches
 * @throws PxeError  not root, a Debian package is missing on this box, no network
 */
export async function buildRamdisk(options: BuildOptions): Promise<Ramdisk> {
  const { flavour, log, signal, mirror } = options
  const output = resolve(options.output)
  const cache = options.cache === undefined ? join(output, '.cache') : resolve(options.cache)
  const started = performance.now()
  const node = nodeBinary()
  const slow = await slowDigest(flavour, node)
  const agent = await agentArchive()
  const digest = `sha256:${sha256(slow, agent)}`
  const present = await presentRamdisk(output, digest)
  if (present) {
    log('the deploy ramdisk is up to date', { ...present, flavour })
    return present
  }
  const pieces = await slowPieces({ cache, flavour, log, signal, mirror, node }, slow)
  signal.throwIfAborted()
  const last = { name: 'agent', content: await compressArchive(agent) }
  const ramdisk = await publish(output, { digest, kernel_params: KERNEL_PARAMETERS[flavour] }, [...pieces, last])
  log('deploy ramdisk built', { ...ramdisk, flavour, duration_s: Math.round((performance.now() - started) / 100) / 10 })
  return ramdisk
}

/** The package that also runs the appliance; its place depends on where npm put it. */
function nodeBinary(): string {
  const name = `node-linux-${process.arch}`
  try {
    return join(createRequire(import.meta.url).resolve(`${name}/package.json`), '../bin/node')
  } catch {
    // A Node of the same version from elsewhere does as well: it runs this very code.
    return process.execPath
  }
}

/** The agent as one script, and the files of root/ as they stand. */
async function agentArchive(): Promise<Buffer> {
  const root = join(HERE, 'root')
  const names = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const paths = names.map((entry) => join(entry.parentPath, entry.name)).sort()
  const files = await Promise.all(
    paths.map(async (path): Promise<Entry> => {
      const content = await readFile(path)
      return {
        path: path.slice(root.length + 1),
        kind: 'file',
        content,
        executable: content.toString('latin1', 0, 2) === '#!',
      }
    }),
  )
  const script = Buffer.from(await linkAgent(join(HERE, 'agent/main.ts')))
  return packCpio([...files, { path: 'usr/lib/rackstrap/agent.js', kind: 'file', content: script }])
}
