/** Takes a bundle into a registry: content first, manifests when all they need is there, tags when the whole bundle has proven right. */
import { statfs } from 'node:fs/promises'
import type { Digest } from '../digest.ts'
import type { RepositoryName } from '../names.ts'
import { readAll } from './ask.ts'
import type { RegistryClient } from './client.ts'
import {
  type BundleBlob,
  BundleError,
  type BundleImage,
  type BundleIndex,
  type BundleManifest,
  type NeededBlob,
} from './format.ts'
import { readBundle } from './read.ts'

export type ImportResult = {
  blobs: number
  blobs_there: number
  manifests: number
  manifests_there: number
  tags: number
}

type Taking = { client: RegistryClient; there: ReadonlySet<Digest>; result: ImportResult }

/**
 * @param storage_path  of the registry: its disk must have room for what is to come
 * @throws BundleError  blobs may have come, and are not sent again next time; no tag has changed
 */
export function importBundle(
  client: RegistryClient,
  source: AsyncIterable<Uint8Array>,
  { storage_path }: { storage_path: string },
): Promise<ImportResult> {
  return readBundle(source, async ({ index, entries }) => {
    await checkNeeds(client, index.needs)
    const there = await blobsThere(client, index)
    await checkRoom(
      storage_path,
      index.blobs.filter(({ digest }) => !there.has(digest)),
    )
    const result = { blobs: 0, blobs_there: 0, manifests: 0, manifests_there: 0, tags: 0 }
    const taking = { client, there, result }
    for await (const { entry, content } of entries()) {
      if (entry.kind === 'blob') await takeBlob(taking, entry.blob, content)
      if (entry.kind === 'manifest') await takeManifest(taking, entry.manifest, content)
    }
    for (const image of index.images) await setTags(taking, image)
    return result
  })
}

async function checkNeeds(client: RegistryClient, needs: readonly NeededBlob[]): Promise<void> {
  const missing: Digest[] = []
  for (const { digest, repositories } of needs)
    for (const repository of repositories)
      if (!(await lend(client, repository, digest)) && missing.at(-1) !== digest) missing.push(digest)
  if (missing.length === 0) return
  throw new BundleError(
    `This bundle carries only what was new, and the registry lacks ${missing.length} of the ${needs.length} blobs that it builds on ` +
      `(${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', ...' : ''}). Import the bundles before it first, ` +
      'or export it again with --since and an inventory of this registry.',
  )
}

/** Makes a blob that is somewhere in the registry one of this repository, too. */
const lend = async (client: RegistryClient, repository: RepositoryName, digest: Digest, from?: RepositoryName) =>
  (await client.blobSize(repository, digest)) !== undefined || client.mountBlob(repository, digest, from)

/** Those that all their repositories have, or could be lent. */
async function blobsThere(client: RegistryClient, { blobs }: BundleIndex): Promise<Set<Digest>> {
  const there = new Set<Digest>()
  for (const { digest, size_bytes, repositories } of blobs) {
    const found: boolean[] = []
    for (const repository of repositories) found.push(await lend(client, repository, digest))
    const [first] = repositories
    if (first && found.every(Boolean) && (await client.blobSize(first, digest)) === size_bytes) there.add(digest)
  }
  return there
}

async function checkRoom(storage_path: string, blobs: readonly BundleBlob[]): Promise<void> {
  const wanted = blobs.reduce((sum, { size_bytes }) => sum + size_bytes, 0)
  const { bavail, bsize } = await statfs(storage_path)
  if (wanted > bavail * bsize)
    throw new BundleError(
      `The bundle brings ${wanted} bytes that are not there yet, and ${storage_path} has room for ${bavail * bsize}. Nothing of it was taken.`,
    )
}

async function takeBlob({ client, there, result }: Taking, blob: BundleBlob, content: AsyncIterable<Uint8Array>) {
  if (there.has(blob.digest)) {
    result.blobs_there++
    return
  }
  const [first, ...others] = blob.repositories
  if (first === undefined) return
  await client.pushBlob(first, blob, content)
  for (const repository of others)
    if (!(await lend(client, repository, blob.digest, first)))
      throw new BundleError(`The registry did not mount ${blob.digest} from ${first} in ${repository}.`)
  result.blobs++
}

async function takeManifest(
  { client, result }: Taking,
  { digest, size_bytes, media_type, repositories }: BundleManifest,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const bytes = await readAll(content, size_bytes)
  for (const repository of repositories) {
    if (await client.hasManifest(repository, digest)) {
      result.manifests_there++
      continue
    }
    await client.pushManifest(repository, digest, { mediaType: media_type, bytes })
    result.manifests++
  }
}

async function setTags({ client, result }: Taking, { repository, digest, tags }: BundleImage): Promise<void> {
  for (const tag of tags) {
    if ((await client.tagged(repository, tag)) === digest) continue
    const stored = await client.manifest(repository, digest)
    if (stored === undefined)
      throw new BundleError(`Manifest ${digest} has gone from ${repository} while it was imported.`)
    await client.pushManifest(repository, tag, stored)
    result.tags++
  }
}
