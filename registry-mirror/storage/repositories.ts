/**
 * Which repository has what: a folder for each, in which the name of an empty file says that a blob or a referrer is
 * there, and small files tell a manifest's media type and a tag's digest. Holds no content (see blobs.ts) and no
 * rules (see manifests.ts).
 */
import { access, opendir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '@appliance/ground/errno'
import { ALGORITHMS, algorithmOf, type Digest, hexOf, parseDigest } from '../oci/digest.ts'
import { parseName, parseTag, type RepositoryName, type Tag } from '../oci/names.ts'
import type { Disk } from './disk/disk.ts'

/** No component of a name starts with an underscore, so none of these is ever a repository. */
type Kind = '_blobs' | '_manifests'

export class Repositories {
  readonly #disk: Disk
  readonly #folder: string
  readonly #watching = new Set<Set<Digest>>()

  constructor(disk: Disk) {
    this.#disk = disk
    this.#folder = join(disk.root, 'repositories')
  }

  #digestPath = (name: RepositoryName, kind: Kind, digest: Digest) =>
    join(this.#folder, name, kind, algorithmOf(digest), hexOf(digest))
  #tagPath = (name: RepositoryName, tag: Tag) => join(this.#folder, name, '_tags', tag)
  #referrersFolder = (name: RepositoryName, subject: Digest) =>
    join(this.#folder, name, '_referrers', algorithmOf(subject), hexOf(subject))
  #referrerPath = (name: RepositoryName, subject: Digest, referrer: Digest) =>
    join(this.#referrersFolder(name, subject), referrer.replace(':', '-'))

  async hasBlob(name: RepositoryName, digest: Digest): Promise<boolean> {
    return exists(this.#digestPath(name, '_blobs', digest))
  }
  /**
   * The caller holds the mutex of the digest, as addManifest does: content that nobody claims may be on its way out.
   */
  async addBlob(name: RepositoryName, digest: Digest): Promise<void> {
    this.#tell(digest)
    await this.#disk.mark(this.#digestPath(name, '_blobs', digest))
    // A watch that began meanwhile may have looked before the claim was there.
    this.#tell(digest)
  }
  /** @returns whether it was there; so do all that remove */
  removeBlob(name: RepositoryName, digest: Digest): Promise<boolean> {
    return this.#disk.remove(this.#digestPath(name, '_blobs', digest))
  }
  blobs(name: RepositoryName): AsyncIterable<Digest> {
    return this.#digests(name, '_blobs')
  }

  /** @returns undefined  this repository has no such manifest */
  async mediaTypeOf(name: RepositoryName, digest: Digest): Promise<string | undefined> {
    return readFile(this.#digestPath(name, '_manifests', digest), 'utf8').catch(unlessMissing)
  }
  async addManifest(name: RepositoryName, digest: Digest, mediaType: string): Promise<void> {
    this.#tell(digest)
    await this.#disk.write(this.#digestPath(name, '_manifests', digest), Buffer.from(mediaType))
    this.#tell(digest)
  }
  removeManifest(name: RepositoryName, digest: Digest): Promise<boolean> {
    return this.#disk.remove(this.#digestPath(name, '_manifests', digest))
  }
  manifests(name: RepositoryName): AsyncIterable<Digest> {
    return this.#digests(name, '_manifests')
  }

  async taggedDigest(name: RepositoryName, tag: Tag): Promise<Digest | undefined> {
    const text = await readFile(this.#tagPath(name, tag), 'utf8').catch(unlessMissing)
    return text === undefined ? undefined : parseDigest(text)
  }
  setTag(name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    return this.#disk.write(this.#tagPath(name, tag), Buffer.from(digest))
  }
  removeTag(name: RepositoryName, tag: Tag): Promise<boolean> {
    return this.#disk.remove(this.#tagPath(name, tag))
  }
  /** In the order of their bytes. */
  async tags(name: RepositoryName): Promise<Tag[]> {
    const names = (await readdir(join(this.#folder, name, '_tags')).catch(unlessMissing)) ?? []
    return names.flatMap((one) => parseTag(one) ?? []).sort()
  }

  addReferrer(name: RepositoryName, subject: Digest, referrer: Digest): Promise<void> {
    return this.#disk.mark(this.#referrerPath(name, subject, referrer))
  }
  removeReferrer(name: RepositoryName, subject: Digest, referrer: Digest): Promise<boolean> {
    return this.#disk.remove(this.#referrerPath(name, subject, referrer))
  }
  /** Digests of manifests whose subject this is, in the order of their names; one may be gone. */
  async referrers(name: RepositoryName, subject: Digest): Promise<Digest[]> {
    const names = (await readdir(this.#referrersFolder(name, subject)).catch(unlessMissing)) ?? []
    return names.sort().flatMap((one) => parseDigest(one.replace('-', ':')) ?? [])
  }

  /** Digests that any repository claims from now on, until it is disposed of. */
  watchClaims(): { claimed: ReadonlySet<Digest> } & Disposable {
    const claimed = new Set<Digest>()
    this.#watching.add(claimed)
    return { claimed, [Symbol.dispose]: () => void this.#watching.delete(claimed) }
  }
  #tell(digest: Digest): void {
    for (const claimed of this.#watching) claimed.add(digest)
  }
  /** Milliseconds since 1970. @returns undefined  this repository does not claim the blob */
  async claimedAt(name: RepositoryName, digest: Digest): Promise<number | undefined> {
    return (await stat(this.#digestPath(name, '_blobs', digest)).catch(unlessMissing))?.ctimeMs
  }

  async exists(name: RepositoryName): Promise<boolean> {
    const folder = join(this.#folder, name)
    return (await exists(join(folder, '_manifests'))) || exists(join(folder, '_blobs'))
  }
  /** All repositories, in no order. */
  async *names(under = ''): AsyncIterable<RepositoryName> {
    const name = parseName(under)
    if (name !== undefined && (await this.exists(name))) yield name
    for await (const entry of (await opendir(join(this.#folder, under)).catch(unlessMissing)) ?? []) {
      const inner = under === '' ? entry.name : `${under}/${entry.name}`
      if (entry.isDirectory() && parseName(inner) !== undefined) yield* this.names(inner)
    }
  }

  async *#digests(name: RepositoryName, kind: Kind): AsyncIterable<Digest> {
    for (const algorithm of ALGORITHMS) {
      const folder = join(this.#folder, name, kind, algorithm)
      for await (const entry of (await opendir(folder).catch(unlessMissing)) ?? []) {
        const digest = parseDigest(`${algorithm}:${entry.name}`)
        if (digest) yield digest
      }
    }
  }
}

const exists = async (path: string): Promise<boolean> => (await access(path).then(() => true, unlessMissing)) ?? false
