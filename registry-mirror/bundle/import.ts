/**
 * Takes a bundle into a registry: content first, manifests when all they need is there, tags when the whole bundle
 * has proven right.
 */

import { mkdir } from 'node:fs/promises'
import { freeBytes } from '@appliance/ground/files'
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/names.ts'
import { type Naming, readArchive } from './archive.ts'
import { readAll } from './ask.ts'
import type { RegistryClient } from './client.ts'
import { placeFile } from './files.ts'
import {
  type BundleBlob,
  BundleError,
  type BundleFile,
  type BundleImage,
  type BundleIndex,
  type BundleManifest,
  type Need,
} from './format.ts'
import { type BundleReader, type OnProgress, readBundle } from './read.ts'
import { type ImportResult, Taken } from './taken.ts'

export type ImportGiven = {
  /** Of the registry: its disk must have room for what is to come. */
  storage_path: string
  /** Where files go; false: nowhere. Left out: a bundle with files is refused. */
  files_folder?: string | false
  /** Is told of what is taken, for an import that fails. */
  taken?: Taken
  onProgress?: OnProgress
}

type Taking = { client: RegistryClient; there: ReadonlySet<Digest>; taken: Taken }

/** @throws BundleError  something of it may have come: `taken` tells, and it is not sent again next time */
export function importBundle(
  client: RegistryClient,
  source: AsyncIterable<Uint8Array>,
  given: ImportGiven,
): Promise<ImportResult> {
  return readBundle(source, takeInto(client, given), given.onProgress)
}

/** Takes an archive of images that another tool made. */
export async function importArchive(
  client: RegistryClient,
  path: string,
  given: ImportGiven & { naming?: Naming },
): Promise<ImportResult> {
  return takeInto(client, given)(await readArchive(path, given))
}

function takeInto({ local: client }: RegistryClient, given: ImportGiven) {
  const { storage_path, files_folder, taken = new Taken() } = given
  return async ({ index, entries }: BundleReader): Promise<ImportResult> => {
    if (index.files.length > 0 && files_folder === undefined) throw filesWithoutPlace(index.files)
    taken.begin(index, files_folder)
    await checkNeeds(client, index.needs)
    const there = await blobsThere(client, index)
    const absent = index.blobs.filter(({ digest }) => !there.has(digest))
    await checkRoom(storage_path, absent)
    if (files_folder) await mkdir(files_folder, { recursive: true })
    const taking = { client, there, taken }
    for await (const { entry, content } of entries()) {
      if (entry.kind === 'blob') await takeBlob(taking, entry.blob, content)
      if (entry.kind === 'manifest') await takeManifest(taking, entry.manifest, content)
      if (entry.kind === 'file' && files_folder)
        taken.file(entry.file, (await placeFile(files_folder, entry.file, content)) ? 'taken' : 'there')
    }
    for (const image of index.images) await setTags(taking, image)
    return taken.result
  }
}

const filesWithoutPlace = (files: readonly BundleFile[]) =>
  new BundleError(
    `The bundle holds ${files.length === 1 ? 'a file' : `${files.length} files`} (${files[0]?.name}${files.length > 1 ? ', ...' : ''}): ` +
      'say where to put them with --files FOLDER, or leave them with --no-files.',
  )

async function checkNeeds(client: RegistryClient, needs: readonly Need[]): Promise<void> {
  const missing = new Set<Digest>()
  for (const { kind, digest, repositories } of needs)
    for (const repository of repositories) {
      const isThere = kind === 'blob' ? lend(client, repository, digest) : client.hasManifest(repository, digest)
      if (!(await isThere)) missing.add(digest)
    }
  if (missing.size === 0) return
  throw new BundleError(
    `This bundle carries only what was new, and the registry lacks ${missing.size} of ${needs.length} blobs and manifests that it builds on ` +
      `(${[...missing].slice(0, 3).join(', ')}${missing.size > 3 ? ', ...' : ''}). Import the bundles before it first, ` +
      'or export it again with --since and an inventory of this registry.',
  )
}

/** Mounts a blob of another repository into this one. */
const lend = async (client: RegistryClient, repository: RepositoryName, digest: Digest, from?: RepositoryName) =>
  (await client.blobSize(repository, digest)) !== undefined || client.mountBlob(repository, digest, from)

/** Blobs that all their repositories have, or that could be mounted. */
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
  const free = await freeBytes(storage_path)
  if (wanted > free)
    throw new BundleError(
      `The bundle brings ${wanted} bytes that are not there yet, and ${storage_path} has room for ${free}. Nothing of it was taken.`,
    )
}

async function takeBlob({ client, there, taken }: Taking, blob: BundleBlob, content: AsyncIterable<Uint8Array>) {
  if (there.has(blob.digest)) return taken.blob('there')
  const [first, ...others] = blob.repositories
  if (first === undefined) return
  await client.pushBlob(first, blob, content)
  for (const repository of others)
    if (!(await lend(client, repository, blob.digest, first)))
      throw new BundleError(`The registry did not mount ${blob.digest} from ${first} in ${repository}.`)
  taken.blob('taken')
}

async function takeManifest(
  { client, taken }: Taking,
  { digest, size_bytes, media_type, repositories, as_blob_in = [] }: BundleManifest,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const bytes = await readAll(content, size_bytes)
  for (const repository of as_blob_in)
    await client.pushBlob(
      repository,
      { digest, size_bytes },
      (async function* () {
        yield bytes
      })(),
    )
  for (const repository of repositories) {
    const how = (await client.hasManifest(repository, digest)) ? 'there' : 'taken'
    // Also when it is there: what was pulled from an upstream, and might be evicted, counts as pushed from now on.
    await client.pushManifest(repository, digest, { mediaType: media_type, bytes })
    taken.manifest(repository, digest, how)
  }
}

async function setTags({ client, taken }: Taking, { repository, digest, tags }: BundleImage): Promise<void> {
  for (const tag of tags) {
    if ((await client.tagged(repository, tag)) === digest) {
      taken.tag(repository, tag, 'there')
      continue
    }
    const stored = await client.manifest(repository, digest)
    if (stored === undefined)
      throw new BundleError(`Manifest ${digest} has gone from ${repository} while it was imported.`)
    await client.pushManifest(repository, tag, stored)
    taken.tag(repository, tag, 'taken')
  }
}
