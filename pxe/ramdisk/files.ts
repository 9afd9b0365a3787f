/** Files and folders that appear whole or not at all. */
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '@appliance/ground/errno'
import { replaceFile, sync } from '@appliance/ground/files'

/** Longer than any build takes. */
const LEFT_OVER_AFTER_MS = 60 * 60_000

export const sha256 = (...parts: readonly (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex')

/** Writes a file that appears whole, with the folders above it. removeLeftovers knows its unfinished name. */
export async function writeDurably(path: string, content: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const unfinished = join(dirname(path), `.${basename(path)}.${process.pid}`)
  await replaceFile(path, content, { mode: 0o644, unfinished })
}

/** Fills a folder beside the one that is wanted, and renames it. When another process was faster, its folder stays. */
export async function appears(path: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = await mkdtemp(`${path}.`)
  try {
    await fill(temporary)
    await chmod(temporary, 0o755)
    await rename(temporary, path).catch((error: unknown) => {
      if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error
    })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  await sync(dirname(path))
}

/** What a process that was killed left behind; younger ones may belong to a process that still runs. */
export async function removeLeftovers(folder: string, names: RegExp): Promise<void> {
  for (const name of (await readdir(folder).catch(() => [])).filter((name) => names.test(name))) {
    const path = join(folder, name)
    const age_ms = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs
    if (age_ms > LEFT_OVER_AFTER_MS) await rm(path, { recursive: true, force: true })
  }
}
