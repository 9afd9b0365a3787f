/**
 * What lies in the image cache, for people. Only looks: the appliance may be at work on the same folder, and need not
 * run.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { leadsNowhere } from '@appliance/ground/errno'
import type { Config } from '../config/options.ts'
import { isKey } from './cache/cache.ts'
import { RECORD, readEntry } from './cache/entry.ts'
import { diskBytes } from './cache/folders.ts'
import { createLinks, nodeOfLink, subdirOf } from './cache/links.ts'

export type ListedImage = {
  key: string
  /** Where it came from, or what it was made of. */
  source: string
  format: 'raw' | 'qcow2' | 'file'
  /** Of the disk that it makes. */
  size_bytes: number
  /** What it takes in the cache, with its compressed forms; holes take nothing. */
  disk_bytes: number
  /** ISO 8601. */
  made_at: string
  last_used: string
  /** Nodes that may fetch it: it stays while there are any. */
  node_uuids: readonly string[]
}

/** @returns the last used first; damaged entries are left out, as they are for deploys */
export async function listImages(config: Config): Promise<ListedImage[]> {
  const folder = config.pxe.instance_master_path
  const users = await usersOf(join(config.deploy.http_root, subdirOf(config)), folder)
  const listed = await Promise.all(
    (await namesIn(folder)).filter(isKey).map((key) => describe(join(folder, key), key, users.get(key) ?? [])),
  )
  return listed.filter((image) => image !== undefined).sort((a, b) => b.last_used.localeCompare(a.last_used))
}

async function describe(folder: string, key: string, node_uuids: string[]): Promise<ListedImage | undefined> {
  const entry = await readEntry(folder, key)
  if (!entry) return undefined
  try {
    const [made, used] = await Promise.all([stat(join(folder, RECORD)), stat(folder)])
    return {
      key,
      source: entry.source,
      format: entry.format,
      size_bytes: entry.size_bytes,
      disk_bytes: await diskBytes(folder),
      made_at: made.mtime.toISOString(),
      last_used: used.mtime.toISOString(),
      node_uuids: node_uuids.sort(),
    }
  } catch (error) {
    // Evicted meanwhile.
    if (leadsNowhere(error)) return undefined
    throw error
  }
}

async function usersOf(folder: string, cache_folder: string): Promise<Map<string, string[]>> {
  const links = createLinks(folder, cache_folder)
  const users = new Map<string, string[]>()
  for (const name of await namesIn(folder)) {
    const key = await links.get(name)
    const known = users.get(key ?? '') ?? []
    if (key !== undefined) users.set(key, [...new Set([...known, nodeOfLink(name)])])
  }
  return users
}

/** None: no appliance has run here yet. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (leadsNowhere(error)) return []
    throw error
  }
}
