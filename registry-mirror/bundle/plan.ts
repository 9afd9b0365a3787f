/** Finds all that a bundle has to carry: of each image its manifests, their blobs, and what refers to them. */
import { type Digest, hexOf } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { type Manifest, parseManifest } from '../oci/manifest.ts'
import { parseTag, type RepositoryName, type Tag } from '../oci/names.ts'
import { type Platform, wantedOf } from '../oci/platforms.ts'
import type { StoredManifest } from '../storage/manifests.ts'
import type { RegistryClient } from './client.ts'
import { type BundleBlob, BundleError, type BundleImage, type BundleManifest, ENTRY_LIMIT } from './format.ts'

export type Choice = {
  /** Of an index, only these; []: all. */
  platforms: readonly Platform[]
  /** Signatures, SBOMs and what else has one of the manifests for its subject. */
  referrers: boolean
  /** Whether missing content of a manifest is an error, or is left out. */
  missing: 'refuse' | 'skip'
}
/** `refersTo`: of it, only what is in the plan. */
type PlannedManifest = BundleManifest & { refersTo: readonly Digest[] }
export type Plan = { images: BundleImage[]; blobs: BundleBlob[]; manifests: PlannedManifest[] }

type Found = { size_bytes: number; repositories: Set<RepositoryName> }

/** Tags of older clients for what belongs to an image: the fallback of the referrers API, and cosign's. */
const TAGS_OF = (digest: Digest) => ['', '.sig', '.att', '.sbom'].map((end) => `sha256-${hexOf(digest)}${end}`)

export class Planner {
  readonly #client: RegistryClient
  readonly #choice: Choice
  readonly #images = new Map<string, { repository: RepositoryName; digest: Digest; tags: Set<Tag> }>()
  readonly #blobs = new Map<Digest, Found>()
  readonly #manifests = new Map<Digest, Found & { media_type: string; refersTo: readonly Digest[] }>()
  readonly #visited = new Set<string>()
  readonly #tags = new Map<RepositoryName, ReadonlySet<string>>()

  constructor(client: RegistryClient, choice: Choice) {
    this.#client = client
    this.#choice = choice
  }

  get plan(): Plan {
    const listed = <T extends Found>(found: Map<Digest, T>) =>
      [...found].map(([digest, { repositories, ...more }]) => ({ digest, ...more, repositories: [...repositories] }))
    return {
      images: [...this.#images.values()].map(({ tags, ...image }) => ({ ...image, tags: [...tags] })),
      blobs: listed(this.#blobs).filter(({ digest }) => !this.#manifests.has(digest)),
      manifests: listed(this.#manifests).map((manifest) => {
        const blob = this.#blobs.get(manifest.digest)
        return { ...manifest, ...(blob && { as_blob_in: [...blob.repositories] }) }
      }),
    }
  }

  /** An image with all that belongs to it. @throws BundleError  some of it is not in the registry */
  async add(repository: RepositoryName, reference: Digest | Tag): Promise<void> {
    const stored = await this.#client.manifest(repository, reference)
    if (stored === undefined) throw new BundleError(`Repository ${repository} has no image ${reference}.`)
    const tag = parseTag(reference)
    this.#name(repository, stored.digest, tag === undefined ? [] : [tag])
    await this.#walk(repository, stored)
  }

  #name(repository: RepositoryName, digest: Digest, tags: readonly Tag[]): void {
    const key = `${repository}@${digest}`
    const image = this.#images.get(key) ?? { repository, digest, tags: new Set() }
    for (const tag of tags) image.tags.add(tag)
    this.#images.set(key, image)
  }

  /** Content that a manifest refers to is listed before the manifest. */
  async #walk(repository: RepositoryName, stored: StoredManifest): Promise<void> {
    const { digest, mediaType, bytes } = stored
    const key = `${repository}@${digest}`
    if (this.#visited.has(key)) return
    this.#visited.add(key)
    const manifest = parseManifest(bytes, mediaType)
    const refersTo: Digest[] = []
    for (const blob of manifest.blobs)
      if (await this.#addBlob(repository, blob)) refersTo.push(blob)
      else if (this.#choice.missing === 'refuse') throw lacks(repository, blob, digest)
    for (const blob of manifest.foreignBlobs) if (await this.#addBlob(repository, blob)) refersTo.push(blob)
    refersTo.push(...(await this.#addListed(repository, stored, manifest)))
    for (const other of manifest.others) if (await this.#addAny(repository, other, 'manifest')) refersTo.push(other)
    // What is signed comes with its signature when it is here; elsewhere it need not be.
    if (manifest.subject) await this.#addAny(repository, manifest.subject, 'manifest', this.#client.local)
    const known = this.#manifests.get(digest)
    if (known) known.repositories.add(repository)
    else
      this.#manifests.set(digest, {
        size_bytes: bytes.length,
        media_type: mediaType,
        repositories: new Set([repository]),
        refersTo,
      })
    if (this.#choice.referrers) await this.#addReferrers(repository, digest)
    if (this.#manifests.size + this.#blobs.size > ENTRY_LIMIT)
      throw new BundleError(
        `That is more than ${ENTRY_LIMIT} blobs and manifests, the limit of one bundle. Make several.`,
      )
  }

  /** What an index lists. @returns what of it is there */
  async #addListed(repository: RepositoryName, stored: StoredManifest, manifest: Manifest): Promise<Digest[]> {
    const { platforms, missing } = this.#choice
    const there: Digest[] = []
    const wanted = ofPlatforms(stored, manifest, platforms)
    for (const one of wanted) {
      const isBlob = manifest.listedBlobs.has(one)
      if (await this.#addAny(repository, one, isBlob ? 'blob' : 'manifest')) there.push(one)
      // A mirror may hold only some platforms; but not those that are asked for, and of what is no platform all.
      else if (platforms.length > 0 || (isBlob && missing === 'refuse' && !manifest.foreignBlobs.includes(one)))
        throw lacks(repository, one, stored.digest)
    }
    const [first] = wanted
    const isAllForeign = wanted.every((one) => manifest.foreignBlobs.includes(one))
    if (first && there.length === 0 && missing === 'refuse' && !isAllForeign)
      throw lacks(repository, first, stored.digest)
    return there
  }

  /**
   * As what it is in the repository: a manifest, a blob or both.
   * @param guess  what is asked for first
   * @returns whether it is there
   */
  async #addAny(
    repository: RepositoryName,
    digest: Digest,
    guess: 'blob' | 'manifest',
    client = this.#client,
  ): Promise<boolean> {
    const add = {
      blob: (from: RegistryClient) => this.#addBlob(repository, digest, from),
      manifest: async (from: RegistryClient) => {
        const found = await from.manifest(repository, digest)
        if (found !== undefined) await this.#walk(repository, found)
        return found !== undefined
      },
    }
    const isThere = await add[guess](client)
    // The second kind is asked of an upstream only if needed.
    return (await add[guess === 'blob' ? 'manifest' : 'blob'](isThere ? client.local : client)) || isThere
  }

  /** @returns whether it is there */
  async #addBlob(repository: RepositoryName, digest: Digest, client = this.#client): Promise<boolean> {
    const known = this.#blobs.get(digest)
    if (known?.repositories.has(repository)) return true
    const size_bytes = await client.blobSize(repository, digest)
    if (size_bytes === undefined) return false
    if (known) known.repositories.add(repository)
    else this.#blobs.set(digest, { size_bytes, repositories: new Set([repository]) })
    return true
  }

  async #addReferrers(repository: RepositoryName, subject: Digest): Promise<void> {
    for (const digest of await this.#client.referrers(repository, subject)) {
      const stored = await this.#client.manifest(repository, digest)
      if (stored === undefined) continue
      this.#name(repository, digest, [])
      await this.#walk(repository, stored)
    }
    const there = await this.#tagsOf(repository)
    for (const text of TAGS_OF(subject)) {
      const tag = there.has(text) ? parseTag(text) : undefined
      if (tag !== undefined) await this.add(repository, tag)
    }
  }

  async #tagsOf(repository: RepositoryName): Promise<ReadonlySet<string>> {
    const known = this.#tags.get(repository)
    if (known) return known
    const tags = new Set<string>(await this.#client.tags(repository))
    this.#tags.set(repository, tags)
    return tags
  }
}

const lacks = (repository: RepositoryName, digest: Digest, neededBy: Digest) =>
  new BundleError(
    `Repository ${repository} lacks ${digest}, which its manifest ${neededBy} refers to. Push or pull it whole first.`,
  )

/** @throws BundleError  the index holds none for any of the platforms */
function ofPlatforms(...index: Parameters<typeof wantedOf>): readonly Digest[] {
  try {
    return wantedOf(...index)
  } catch (error) {
    throw error instanceof RegistryError ? new BundleError(error.message, { cause: error }) : error
  }
}
