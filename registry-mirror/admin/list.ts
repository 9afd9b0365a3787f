/** Lists stored images for an operator: by tag, and untagged ones by digest. */

import { type Needs, readNeeds } from '../gc/needs.ts'
import { pinnedIn } from '../gc/pins.ts'
import type { Digest } from '../oci/digest.ts'
import { parseName, type RepositoryName } from '../oci/names.ts'
import type { Origin } from '../storage/state.ts'
import type { Storage } from '../storage/storage.ts'

export type Listed = {
  repository: string
  tag?: string
  digest: string
  /** Of the image and all stored content that it needs; shared content counts for each image. */
  size_bytes: number
  origin: Origin
  /** By the operator, a sync set or a hold. */
  pinned: boolean
  /** Owners of holds, such as node:<uuid>. */
  held_by?: readonly string[]
  last_used?: string
}

/** @param under  a repository, or the first part of the names of several; undefined: all */
export async function listContent(storage: Storage, under?: string): Promise<Listed[]> {
  const listed: Listed[] = []
  const prefix = under === undefined ? undefined : parseName(under)
  if (under !== undefined && prefix === undefined) return []
  for await (const name of storage.repositories.names())
    if (prefix === undefined || name === prefix || name.startsWith(`${prefix}/`))
      listed.push(...(await listRepository(storage, name)))
  const key = ({ repository, tag = '' }: Listed) => `${repository}:${tag}`
  return listed.sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

async function listRepository(storage: Storage, name: RepositoryName): Promise<Listed[]> {
  const { repositories, state } = storage
  const known = new Map<Digest, Needs | 'unknown'>()
  await readNeeds(storage, name, known)
  const pinned = await pinnedIn(storage, name)
  const inner = new Set([...known.values()].flatMap((one) => (one === 'unknown' ? [] : one.manifests)))
  const row = async (digest: Digest, tag?: string): Promise<Listed> => {
    const used = state.lastUsed(name, digest)
    return {
      repository: name,
      ...(tag !== undefined && { tag }),
      digest,
      size_bytes: await sizeOf(storage, digest, known),
      origin: state.originOf(name, digest),
      pinned: pinned === 'all' || pinned.has(digest),
      ...holdersOf(storage, name, digest),
      ...(used !== undefined && { last_used: new Date(used).toISOString() }),
    }
  }
  const rows: Listed[] = []
  const tagged = new Set<Digest>()
  for (const tag of await repositories.tags(name)) {
    const digest = await repositories.taggedDigest(name, tag)
    if (digest === undefined) continue
    tagged.add(digest)
    rows.push(await row(digest, tag))
  }
  for (const digest of known.keys()) if (!tagged.has(digest) && !inner.has(digest)) rows.push(await row(digest))
  return rows
}

function holdersOf({ state: { holds } }: Storage, name: RepositoryName, wanted: Digest): { held_by?: string[] } {
  const held_by = Object.entries(holds)
    .filter(([, held]) => held.some(({ repository, digest }) => repository === name && digest === wanted))
    .map(([owner]) => owner)
  return held_by.length > 0 ? { held_by: held_by.sort() } : {}
}

async function sizeOf(storage: Storage, digest: Digest, known: ReadonlyMap<Digest, Needs | 'unknown'>) {
  const all = new Set<Digest>()
  const add = (one: Digest) => {
    if (all.has(one)) return
    all.add(one)
    const needs = known.get(one)
    if (needs === undefined || needs === 'unknown') return
    for (const one of [...needs.blobs, ...needs.others]) all.add(one)
    for (const manifest of needs.manifests) add(manifest)
  }
  add(digest)
  let bytes = 0
  for (const one of all) bytes += (await storage.blobs.sizeOf(one)) ?? 0
  return bytes
}
