/**
 * What a person or a plugin wants to know of a container image, read from its manifests and its config. Asks no
 * upstream.
 */

import { parseJson } from '@appliance/ground/json-meter'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import type { StoredManifest } from '../storage/manifests.ts'

export type ContainerImage = {
  /** With its tag: quay.io/org/app:v1; without one, with its digest. */
  reference: string
  /** Digest that the reference had at the inspection: of an index, or of the manifest itself. */
  digest: string
  /** Digest of the platform's own manifest. */
  manifest_digest: string
  /** OCI's word: amd64, arm64. */
  architecture: string
  labels: Readonly<Record<string, string>>
  layers: readonly { digest: string; size_bytes: number }[]
  /** All layers and the config, compressed, each once. */
  size_bytes: number
  /** Why this is the stored image, and not the upstream's. */
  warning?: string
}

export type ImageProblem =
  | 'reference'
  | 'unreachable'
  | 'unknown'
  | 'refused'
  | 'architecture'
  | 'not an image'
  | 'too large'
  | 'lying'

/** The image cannot be pulled; a sentence for the operator says why. */
export class ImageUnavailable extends RegistryError {
  readonly problem: ImageProblem

  constructor(problem: ImageProblem, message: string, cause?: unknown) {
    super(message, { cause })
    this.problem = problem
  }
}

type Descriptor = { mediaType?: unknown; digest?: unknown; size?: unknown; platform?: Platform }
type Platform = { os?: unknown; architecture?: unknown }
type Json = {
  config?: Descriptor
  layers?: Descriptor[]
  manifests?: Descriptor[]
  artifactType?: unknown
  mediaType?: unknown
}

const CONFIG_TYPES = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json']

/** Checked by parseManifest, all of them. */
const jsonOf = ({ bytes }: Pick<StoredManifest, 'bytes'>) => JSON.parse(bytes.toString()) as Json

/** @returns undefined  it is no index @throws ImageUnavailable  it has nothing for the architecture */
export function choicesOf(
  manifest: StoredManifest,
  { reference, architecture }: { reference: string; architecture: string },
): Digest | undefined {
  const { manifests } = jsonOf(manifest)
  if (!/index|manifest\.list/.test(manifest.mediaType)) return undefined
  const found = (manifests ?? []).find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  )
  const digest = parseDigest(String(found?.digest))
  if (digest !== undefined) return digest
  const offered = (manifests ?? []).flatMap(({ platform }) =>
    platform?.os === undefined || platform.os === 'unknown' ? [] : [`${platform.os}/${platform.architecture}`],
  )
  throw new ImageUnavailable(
    'architecture',
    `Image ${reference} has nothing for linux/${architecture}: it has ${[...new Set(offered)].join(', ') || 'no platforms'}.`,
  )
}

/** @returns the digest of its config @throws ImageUnavailable  it is none that can be run */
export function configDigestOf(manifest: StoredManifest, reference: string): Digest {
  const { config, artifactType } = jsonOf(manifest)
  const digest = parseDigest(String(config?.digest))
  if (digest !== undefined && CONFIG_TYPES.includes(String(config?.mediaType))) return digest
  const type = [artifactType, config?.mediaType, manifest.mediaType].find((one) => typeof one === 'string')
  throw new ImageUnavailable('not an image', `${reference} is no container image, but an artifact of type ${type}.`)
}

/** @param config  bytes of the config @throws ImageUnavailable  it is of another architecture, or no config */
export function imageOf(
  given: { reference: string; digest: Digest; architecture: string; manifest: StoredManifest },
  config: Uint8Array,
): ContainerImage {
  const { reference, digest, architecture, manifest } = given
  const { config: configAt, layers: listed = [] } = jsonOf(manifest)
  const found = configIn(config, reference)
  if (found.architecture !== architecture || (found.os ?? 'linux') !== 'linux')
    throw new ImageUnavailable(
      'architecture',
      `Image ${reference} has nothing for linux/${architecture}: it has ${found.os ?? 'linux'}/${found.architecture}.`,
    )
  const layers = listed.map(({ digest, size }) => ({ digest: String(digest), size_bytes: Number(size) }))
  const sizes = new Map(layers.map((layer) => [layer.digest, layer.size_bytes]))
  sizes.set(String(configAt?.digest), Number(configAt?.size))
  const size_bytes = [...sizes.values()].reduce((sum, one) => sum + one, 0)
  const { labels } = found
  return { reference, digest, manifest_digest: manifest.digest, architecture, labels, layers, size_bytes }
}

function configIn(bytes: Uint8Array, reference: string) {
  const wrong = new ImageUnavailable('not an image', `Image ${reference} has a config that is none.`)
  try {
    const json = parseJson(Buffer.from(bytes).toString()) as Record<string, unknown> | null
    const { os, architecture, config } = json ?? {}
    const told = (config as { Labels?: unknown } | null | undefined)?.Labels
    const labels = Object.entries(typeof told === 'object' && told !== null ? told : {})
    if (typeof architecture !== 'string') throw wrong
    return {
      architecture,
      os: typeof os === 'string' ? os : undefined,
      labels: Object.fromEntries(labels.filter((one): one is [string, string] => typeof one[1] === 'string')),
    }
  } catch {
    // No JSON.
    throw wrong
  }
}
