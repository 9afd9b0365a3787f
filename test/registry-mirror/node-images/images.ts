/** Images with labels and of platforms, as a machine is deployed from, in a registry that is asked for them. */
import {
  descriptor,
  IMAGE,
  INDEX,
  type Json,
  pushBlob,
  pushManifest,
  sha256,
  someBytes,
  type TestRegistry,
} from '../registry.ts'

export type Built = { digest: string; manifest: string; layers: Buffer[]; layerDigests: string[]; size_bytes: number }
type Wanted = {
  architecture?: string
  labels?: Record<string, string>
  sizes?: readonly number[]
  configType?: string
  layers?: Buffer[]
}

/** Pushed without a tag, unless one is given. */
export async function pushBootable(
  registry: TestRegistry,
  { name, tag }: { name: string; tag?: string },
  {
    architecture = 'amd64',
    labels = { 'containers.bootc': '1' },
    sizes = [200_000, 1000],
    configType,
    layers = sizes.map(someBytes),
  }: Wanted = {},
): Promise<Built> {
  const config = Buffer.from(JSON.stringify({ architecture, os: 'linux', config: { Labels: labels } }))
  const layerDigests: string[] = []
  for (const blob of [config, ...layers]) layerDigests.push(await pushBlob(registry, name, blob))
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    config: descriptor(configType ?? 'application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((layer) => descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)),
  })
  const digest = sha256(manifest)
  await pushManifest(registry, { name, reference: tag ?? digest }, manifest)
  const size_bytes = [config, ...layers].reduce((sum, { length }) => sum + length, 0)
  return { digest, manifest, layers, layerDigests: layerDigests.slice(1), size_bytes }
}

/** @returns its digest */
export async function pushIndex(
  registry: TestRegistry,
  at: { name: string; tag: string },
  images: Readonly<Record<string, Built>>,
): Promise<string> {
  const manifests: Json[] = Object.entries(images).map(([architecture, { digest, manifest }]) => {
    return { mediaType: IMAGE, digest, size: manifest.length, platform: { os: 'linux', architecture } }
  })
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests })
  await pushManifest(registry, { name: at.name, reference: at.tag, type: INDEX }, index)
  return sha256(index)
}
