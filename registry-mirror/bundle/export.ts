/** Makes a bundle of images and files. */
import type { Digest } from '../digest.ts'
import type { RepositoryName } from '../names.ts'
import type { RegistryClient } from './client.ts'
import { type BundleEntry, BundleError, type BundleIndex, FORMAT } from './format.ts'
import { type Choice, Planner } from './plan.ts'
import { imagesFor } from './select.ts'
import { bundleBytes } from './write.ts'

export type ExportWanted = Choice & {
  /** NAME, NAME:TAG, NAME@DIGEST; `*` stands for anything in a name or tag. */
  images: readonly string[]
}

/** @throws BundleError */
export async function planBundle(client: RegistryClient, wanted: ExportWanted, now: Date): Promise<BundleIndex> {
  const planner = new Planner(client, wanted)
  for (const { repository, reference } of await imagesFor(client, wanted.images))
    await planner.add(repository, reference)
  const { images, blobs, manifests } = planner.plan
  return { format: FORMAT, created_at: now.toISOString(), images, blobs, files: [], manifests, needs: [] }
}

/** The bytes of the bundle, read from the registry as they are asked for. */
export function exportBundle(client: RegistryClient, index: BundleIndex): AsyncGenerator<Uint8Array, void> {
  return bundleBytes(index, (entry) => contentOf(client, entry))
}

async function contentOf(client: RegistryClient, entry: BundleEntry): Promise<AsyncIterable<Uint8Array>> {
  if (entry.kind === 'blob') return client.blob(oneOf(entry.blob.repositories), entry.digest)
  if (entry.kind === 'manifest') return manifestBytes(client, oneOf(entry.manifest.repositories), entry.digest)
  throw new Error(`${entry.name} is not of the registry`)
}

async function* manifestBytes(client: RegistryClient, repository: RepositoryName, digest: Digest) {
  const stored = await client.manifest(repository, digest)
  if (stored === undefined)
    throw new BundleError(`Manifest ${digest} has gone from ${repository} while it was exported. Export again.`)
  yield stored.bytes
}

function oneOf(repositories: readonly RepositoryName[]): RepositoryName {
  const [first] = repositories
  if (first === undefined) throw new Error('content of no repository')
  return first
}
