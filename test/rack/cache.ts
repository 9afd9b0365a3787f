/** The one place where the rack keeps what it built or fetched, and its logs. Everything in it may be deleted. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'

export const CHECKOUT = resolve(import.meta.dirname, '../..')
const LOGS_KEPT = 20

/** .cache in the checkout; RACKSTRAP_CACHE names another place, e.g. one that several checkouts share. */
export const cacheFolder = () => resolve(process.env.RACKSTRAP_CACHE || join(CHECKOUT, '.cache'))

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
