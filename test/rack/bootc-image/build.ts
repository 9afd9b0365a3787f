/**
 * A bootable container for the rack in two versions, as OCI layouts: with the real bootc by the script that
 * RACKSTRAP_BOOTC_IMAGE_SCRIPT names, else the stand-in. Both phone home. Built once per recipe.
 */
import { createHash, type Hash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { cached, type Tell } from '../cache.ts'
import { recipeDigest } from '../os-image/recipe.ts'
import { run } from '../run-program.ts'
import { addLayer, createLayout } from './oci-layout.ts'
import { buildStandIn } from './stand-in.ts'

export type BootcImage = {
  kind: 'real bootc' | 'stand-in for bootc'
  /** Folders with an OCI layout each. The second is the first with one more layer: what an upgrade fetches. */
  layouts: Readonly<Record<1 | 2, string>>
}

/** `SCRIPT OUT` makes OUT/oci; the environment's OVERLAY is a folder that it lays over the tree. */
const SCRIPT_VARIABLE = 'RACKSTRAP_BOOTC_IMAGE_SCRIPT'
const SCRIPT_DEADLINE_S = 1200
const VERSION_FILE = 'usr/lib/bootc-test-version'
const LABELS = { 'containers.bootc': '1', 'org.opencontainers.image.version': '1' }
const OVERLAY = join(import.meta.dirname, 'overlay')

/** @throws Error  in the builder's last words, or: the script that is named is not there */
export async function ensureBootcImage(signal: AbortSignal, tell?: Tell): Promise<BootcImage> {
  const named = process.env[SCRIPT_VARIABLE]
  const script = named ? resolve(named) : undefined
  const hash = createHash('sha256')
  addFiles(hash, import.meta.dirname, ['build.ts', 'oci-layout.ts', 'overlay/**/*'])
  if (script) addFiles(hash, dirname(script), ['*'])
  else addFiles(hash.update(recipeDigest()), import.meta.dirname, ['stand-in.ts', 'stand-in/*'])
  const digest = hash.digest('hex').slice(0, 12)
  const folder = await cached(script ? 'bootc-image' : 'bootc-stand-in', digest, (work) =>
    assemble(work, { script, signal, tell }),
  )
  return {
    kind: script ? 'real bootc' : 'stand-in for bootc',
    layouts: { 1: join(folder, '1'), 2: join(folder, '2') },
  }
}

function addFiles(hash: Hash, folder: string, patterns: readonly string[]): void {
  for (const file of globSync(patterns, { cwd: folder }).sort()) {
    const path = join(folder, file)
    if (statSync(path).isFile()) hash.update(`${file}\0`).update(readFileSync(path))
  }
}

type Making = { script: string | undefined; signal: AbortSignal; tell: Tell | undefined }

async function assemble(work: string, { script, signal, tell }: Making): Promise<void> {
  await mkdir(work, { recursive: true })
  await (script ? buildReal(work, { script, signal, tell }) : buildOwn(work, signal, tell))
  const change = join(work, 'change')
  await mkdir(dirname(join(change, VERSION_FILE)), { recursive: true })
  await writeFile(join(change, VERSION_FILE), '2\n')
  await addLayer(join(work, '1'), join(work, '2'), change, { 'org.opencontainers.image.version': '2' })
  await rm(change, { recursive: true })
}

/** In a mount namespace of its own: whatever the script leaves mounted goes with it, before its folder is removed. */
async function buildReal(work: string, { script, signal, tell }: Making & { script: string }): Promise<void> {
  const out = join(work, 'out')
  const env = { ...process.env, OVERLAY, VERSION: '1' }
  await run('unshare', ['--mount', '--propagation', 'private', script, out], {
    signal,
    env,
    timeout_s: SCRIPT_DEADLINE_S,
    onOutput: (text) => tell?.(`building it by ${basename(script)}: ${text.trim().split('\n').at(-1)?.slice(0, 60)}`),
  })
  await rename(join(out, 'oci'), join(work, '1'))
  await rm(out, { recursive: true })
}

async function buildOwn(work: string, signal: AbortSignal, tell: Tell | undefined): Promise<void> {
  const root = join(work, 'root')
  await buildStandIn(root, OVERLAY, signal, tell)
  tell?.('packing the container')
  await writeFile(join(root, VERSION_FILE), '1\n')
  const layout = join(work, '1')
  await createLayout(layout, { Labels: LABELS, Cmd: ['/sbin/init'], Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'] })
  await addLayer(layout, layout, root)
  await rm(root, { recursive: true })
}
