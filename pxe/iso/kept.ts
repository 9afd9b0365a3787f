/** How many ISOs are kept: each is as large as a deploy ramdisk. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Beside the one that is being made. Some are being read by BMCs. */
const KEPT = 5
/** Left by a process that was killed. */
const STALE_MS = 3_600_000

export async function forgetOldest(folder: string): Promise<void> {
  const names = await readdir(folder)
  const aged = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0 })),
  )
  const isos = aged.filter(({ name }) => name.endsWith('.iso')).sort((one, other) => other.at - one.at)
  const stale = aged.filter(({ name, at }) => name.startsWith('making-') && Date.now() - at > STALE_MS)
  for (const { name } of [...isos.slice(KEPT), ...stale]) {
    await rm(join(folder, name.replace(/\.iso$/, '.json')), { recursive: true, force: true })
    await rm(join(folder, name), { recursive: true, force: true })
  }
}
