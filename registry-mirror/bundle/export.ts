/** Makes bundles of images and files. */
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/names.ts'
import type { Platform } from '../oci/platforms.ts'
import type { RegistryClient } from './client.ts'
import { differenceOf } from './difference.ts'
import { contentOfFile, type SourceFile } from './files.ts'
import { BundleError, type BundleIndex, FORMAT } from './format.ts'
import { type Known, NOTHING_KNOWN } from './known.ts'
import { Planner } from './plan.ts'
import { imagesFor } from './select.ts'
import type { ContentOf } from './write.ts'

export type ExportWanted = {
  /** NAME (all its tags), NAME:TAG, NAME@DIGEST; `*` stands for anything in a name or tag. */
  images: readonly string[]
  /** Of an index, only these; left out: all. */
  platforms?: readonly Platform[]
  /** Signatures, SBOMs and what else refers to an image; left out: true. */
  referrers?: boolean
  files?: readonly SourceFile[]
  /** Content that the other side has already. */
  known?: Known
  now?: Date
}

/** @throws BundleError  some of it is not in the registry */
export async function planBundle(client: RegistryClient, wanted: ExportWanted): Promise<BundleIndex> {
  const { images, platforms = [], referrers = true, files = [], known = NOTHING_KNOWN, now = new Date() } = wanted
  const planner = new Planner(client, { platforms, referrers, missing: 'refuse' })
  for (const { repository, reference } of await imagesFor(client, images)) await planner.add(repository, reference)
  const plain = files.map(({ name, digest, size_bytes }) => ({ name, digest, size_bytes }))
  return { format: FORMAT, created_at: now.toISOString(), ...differenceOf(planner.plan, plain, known) }
}

/** The source of a bundle's content: the registry, and the files. */
export function sourceOf(client: RegistryClient, files: readonly SourceFile[] = []): ContentOf {
  const paths = new Map(files.map(({ name, path }) => [name, path]))
  return async (entry) => {
    if (entry.kind === 'blob') return client.blob(first(entry.blob.repositories), entry.digest)
    if (entry.kind === 'manifest') return manifestBytes(client, first(entry.manifest.repositories), entry.digest)
    const path = entry.kind === 'file' ? paths.get(entry.file.name) : undefined
    if (path === undefined) throw new Error(`nobody knows where ${entry.name} comes from`)
    return contentOfFile(path)
  }
}

async function* manifestBytes(client: RegistryClient, repository: RepositoryName, digest: Digest) {
  const stored = await client.manifest(repository, digest)
  if (stored === undefined)
    throw new BundleError(`Manifest ${digest} has gone from ${repository} while it was exported. Export again.`)
  yield stored.bytes
}

function first(repositories: readonly RepositoryName[]): RepositoryName {
  const [one] = repositories
  if (one === undefined) throw new Error('content of no repository')
  return one
}
