/** The one place where the rack keeps what it built or fetched, and its logs. Everything in it may be deleted. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join, resolve } from 'node:path'

export const CHECKOUT = resolve(import.meta.dirname, '../..')
const LOGS_KEPT = 20
const UNUSED_MS = 7 * 86_400_000

/** .cache in the checkout; RACKSTRAP_CACHE names another place, e.g. one that several checkouts share. */
export const cacheFolder = () => resolve(process.env.RACKSTRAP_CACHE || join(CHECKOUT, '.cache'))

/** Says what is being made right now, to who waits for it: "downloading 212 Debian packages (84.5 MB)". */
export type Tell = (doing: string) => void

/**
 * A folder of the cache, made by `build` when it is not there. It appears whole or not at all, and another run may
 * make the same at the same time. Others of its kind that nobody used for a week are dropped.
 */
export async function cached(kind: string, digest: string, build: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), `${kind}-${digest}`)
  if (!(await isUsed(folder))) {
    const work = `${folder}.${process.pid}`
    await mkdir(cacheFolder(), { recursive: true })
    try {
      await build(work)
      await rename(work, folder).catch(async (error) => {
        if (!(await isUsed(folder))) throw error
      })
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  }
  await dropUnused(kind)
  return folder
}

/** Marks it as used now. @returns whether it is there */
async function isUsed(folder: string): Promise<boolean> {
  const now = new Date()
  return utimes(folder, now, now).then(
    () => true,
    () => false,
  )
}

async function dropUnused(kind: string): Promise<void> {
  for (const name of await readdir(cacheFolder())) {
    if (!name.startsWith(`${kind}-`)) continue
    const path = join(cacheFolder(), name)
    const age_ms = Date.now() - (await stat(path)).mtimeMs
    if (age_ms > UNUSED_MS) await rm(path, { recursive: true, force: true })
  }
}

/** A new folder for the logs of one run; the oldest ones are dropped. */
export async function createLogFolder(name: string): Promise<string> {
  const all = join(cacheFolder(), 'logs')
  await mkdir(all, { recursive: true })
  const old = (await readdir(all)).sort().slice(0, -LOGS_KEPT)
  for (const folder of old) await rm(join(all, folder), { recursive: true, force: true })
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '')
  const folder = join(all, `${time}-${name}`)
  await mkdir(folder, { recursive: true })
  return folder
}

export async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { signal, highWaterMark: 4 * 1024 * 1024 })) hash.update(chunk)
  return hash.digest('hex')
}
