/** Which manifests of an index are for the platforms that are asked for. */
import { type Digest, parseDigest } from './digest.ts'
import { RegistryError } from './errors.ts'
import type { Manifest } from './manifest.ts'

/** `variant` undefined: any. */
export type Platform = { os: string; architecture: string; variant?: string }

/** @param text  e.g. linux/amd64, linux/arm/v7 @throws RegistryError */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...more] = text.split('/')
  if (!os || !architecture || variant === '' || more.length > 0)
    throw new RegistryError(
      `'${text}' is no platform: expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, as linux/amd64.`,
    )
  return { os, architecture, ...(variant !== undefined && { variant }) }
}

type Descriptor = {
  digest?: unknown
  platform?: { os?: unknown; architecture?: unknown; variant?: unknown }
  annotations?: Record<string, unknown>
}

/** By this annotation BuildKit names the image of an attestation, which it lists in the same index. */
const ABOUT = 'vnd.docker.reference.digest'

/** Blobs that an index lists are for all platforms. @throws RegistryError  it holds none for any of them */
export function wantedOf(
  { digest, bytes }: { digest: Digest; bytes: Buffer },
  { manifests: all, listedBlobs }: Pick<Manifest, 'manifests' | 'listedBlobs'>,
  platforms: readonly Platform[],
): readonly Digest[] {
  if (platforms.length === 0 || all.every((one) => listedBlobs.has(one))) return all
  const { manifests } = JSON.parse(bytes.toString()) as { manifests: Descriptor[] }
  const matching = manifests.filter(({ platform }) => platforms.some((wanted) => matches(platform, wanted)))
  if (matching.length === 0) {
    const offered = manifests.flatMap(({ platform }) => (platform ? [nameOf(platform)] : []))
    throw new RegistryError(
      `Index ${digest} holds nothing for ${platforms.map(nameOf).join(' or ')}: it has ${offered.join(', ') || 'no platforms'}.`,
    )
  }
  const chosen = new Set(matching.map((one) => one.digest))
  const about = manifests.filter(({ annotations }) => chosen.has(annotations?.[ABOUT]))
  const some = [...matching, ...about].flatMap((one) => parseDigest(String(one.digest)) ?? [])
  return [...new Set([...some, ...listedBlobs])]
}

const matches = (found: Descriptor['platform'], { os, architecture, variant }: Platform) =>
  found?.os === os && found.architecture === architecture && (variant === undefined || found.variant === variant)

const nameOf = ({ os, architecture, variant }: { os?: unknown; architecture?: unknown; variant?: unknown }) =>
  [os, architecture, variant].filter((one) => one !== undefined).join('/')
