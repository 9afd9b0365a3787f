/**
 * Puts a finished ramdisk where machines fetch it from. Who reads ramdisk.json finds the old set or the new one, each
 * whole.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { removeLeftovers, sha256, writeDurably } from './files.ts'

export type Ramdisk = {
  path: string
  digest: string
  /** Kernel and core. */
  bytes: number
  /** Bytes of each, by its name. */
  layers: Readonly<Record<string, number>>
}
/** One file of the ramdisk, before it has a name. */
export type Piece = { name: string; content: Buffer }

const INDEX = 'ramdisk.json'
const OURS = /^(vmlinuz|base|modules|node|agent|layer-[a-z0-9-]+)-[0-9a-f]{12}(\.cpio\.zst)?$/
const HALF_WRITTEN = /^\.(vmlinuz|base|modules|node|agent|layer|ramdisk\.json)[-.]/

/** What is there already, when it is of that recipe and nobody has deleted one of its files. */
export async function presentRamdisk(output: string, digest: string): Promise<Ramdisk | undefined> {
  const found = parsed(await readFile(join(output, INDEX), 'utf8').catch(() => ''))
  if (found?.digest !== digest) return undefined
  const names = [found.kernel, ...(Array.isArray(found.core) ? found.core : [])]
  const sizes = await Promise.all(names.map((name) => sizeOf(join(output, String(name)))))
  const layers = await Promise.all(
    Object.entries(found.layers ?? {}).map(async ([name, file]) => [name, await sizeOf(join(output, String(file)))]),
  )
  if (sizes.includes(undefined) || layers.some(([, size]) => size === undefined)) return undefined
  const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
  return { path: output, digest, bytes, layers: Object.fromEntries(layers) }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    // Absent or damaged: it is made anew.
    return undefined
  }
}

const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => undefined,
  )

/**
 * Names hold the content's digest, and ramdisk.json changes last. The set before stays for machines that are just
 * booting it; older ones go.
 */
export async function publish(
  output: string,
  { digest, kernel_params }: { digest: string; kernel_params: string },
  pieces: readonly Piece[],
  layers: readonly Piece[] = [],
): Promise<Ramdisk> {
  await removeLeftovers(output, HALF_WRITTEN)
  const before = await readFile(join(output, INDEX), 'utf8').catch(() => '')
  const files = pieces.map(({ name, content }) => ({ name: fileName(name, content), content }))
  const over = layers.map(({ name, content }) => ({ layer: name, name: fileName(`layer-${name}`, content), content }))
  for (const { name, content } of [...files, ...over]) {
    // The name vouches for the content.
    if ((await sizeOf(join(output, name))) !== content.length) await writeDurably(join(output, name), content)
  }
  const [kernel, ...core] = files.map(({ name }) => name)
  const named = Object.fromEntries(over.map(({ layer, name }) => [layer, name]))
  const index = { kernel, core, layers: named, digest, kernel_params }
  const text = `${JSON.stringify(index, null, 2)}\n`
  await writeDurably(join(output, INDEX), Buffer.from(text))
  for (const name of await readdir(output)) {
    if (OURS.test(name) && !text.includes(name) && !before.includes(name)) await rm(join(output, name))
  }
  const bytes = files.reduce((sum, { content }) => sum + content.length, 0)
  const sizes = Object.fromEntries(over.map(({ layer, content }) => [layer, content.length]))
  return { path: output, digest, bytes, layers: sizes }
}

function fileName(name: string, content: Buffer): string {
  const short = sha256(content).slice(0, 12)
  return name === 'kernel' ? `vmlinuz-${short}` : `${name}-${short}.cpio.zst`
}
