/** A storage with images in it, as pulls and pushes leave them, without a registry in front. */
import type { TestContext } from 'node:test'
import { type Digest, digestOf } from '../../../registry-mirror/oci/digest.ts'
import { parseManifest } from '../../../registry-mirror/oci/manifest.ts'
import type { RepositoryName, Tag } from '../../../registry-mirror/oci/names.ts'
import type { Storage } from '../../../registry-mirror/storage/storage.ts'
import { openStorage } from '../../../registry-mirror/storage/storage.ts'
import { configOf, descriptor, IMAGE, INDEX, type Json, someBytes, temporaryFolder } from '../registry.ts'

export const LAYER_BYTES = 100_000

export async function openFolder(t: TestContext): Promise<Storage> {
  const storage = await openStorage(configOf(temporaryFolder(t)))
  t.after(async () => {
    await storage.state.close()
    storage.release()
  })
  return storage
}

type Wanted = { name: string; tag?: string; pulled: boolean; used?: number; layer?: Buffer; more?: Json }
export type Kept = { name: RepositoryName; digest: Digest; layer: Digest; text: string }

export async function addImage(storage: Storage, wanted: Wanted): Promise<Kept> {
  const name = wanted.name as RepositoryName
  const layer = wanted.layer ?? someBytes(LAYER_BYTES)
  const layerDigest = digestOf('sha256', layer)
  await storage.blobs.put(layerDigest, layer)
  await storage.repositories.addBlob(name, layerDigest)
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    layers: [descriptor('application/octet-stream', layer)],
    ...wanted.more,
  })
  return { name, digest: await addManifest(storage, text, wanted), layer: layerDigest, text }
}

export const addIndex = (storage: Storage, images: readonly Kept[], wanted: Wanted): Promise<Digest> =>
  addManifest(
    storage,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: images.map(({ text }) => descriptor(IMAGE, text)),
    }),
    wanted,
  )

async function addManifest(storage: Storage, text: string, { name, tag, pulled, used }: Wanted): Promise<Digest> {
  const bytes = Buffer.from(text)
  const digest = digestOf('sha256', bytes)
  const repository = name as RepositoryName
  if (pulled) await storage.state.pulled(repository, digest)
  const tags = tag === undefined ? [] : [tag as Tag]
  await storage.manifests.push({ name: repository, digest, bytes, manifest: parseManifest(bytes), tags })
  storage.state.used(repository, digest, used)
  return digest
}
