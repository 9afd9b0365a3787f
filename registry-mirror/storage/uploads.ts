/** Uploads of blobs that are under way. They survive a restart; those that nobody goes on with expire. */

import { createHash, randomUUID } from 'node:crypto'
import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '@appliance/ground/errno'
import type { KeyedMutex } from '@appliance/ground/keyed-mutex'
import type { Algorithm, Digest } from '../oci/digest.ts'
import { tooManyRequests, uploadUnknown } from '../oci/errors.ts'
import type { RepositoryName } from '../oci/names.ts'
import type { BlobStore } from './blobs.ts'
import type { Disk } from './disk/disk.ts'
import type { Repositories } from './repositories.ts'
import { Upload } from './upload.ts'

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const RETRY_AFTER_S = 30

type Limits = { max_uploads: number; upload_timeout: number }
type Stores = { disk: Disk; blobs: BlobStore; repositories: Repositories; mutex: KeyedMutex }

export class Uploads {
  readonly #stores: Stores
  readonly #limits: Limits
  readonly #folder: string
  readonly #open = new Map<string, Upload>()

  constructor(stores: Stores, limits: Limits) {
    this.#stores = stores
    this.#limits = limits
    this.#folder = join(stores.disk.root, 'uploads')
  }

  /** The name of the file holds the repository, too: an upload belongs to it alone, also after a restart. */
  #path = (name: RepositoryName, id: string) => join(this.#folder, `${id}.${keyOf(name)}`)

  get underWay(): number {
    return this.#open.size
  }

  /** @throws OciError  TOOMANYREQUESTS */
  async start(name: RepositoryName, algorithm: Algorithm): Promise<Upload> {
    const { max_uploads } = this.#limits
    if (this.#open.size >= max_uploads)
      throw tooManyRequests(
        `${max_uploads} uploads are under way, the limit of this registry. Try again.`,
        RETRY_AFTER_S,
      )
    const id = randomUUID()
    const path = this.#path(name, id)
    const upload = new Upload(id, path, { algorithm, offset: 0, requireRoom: this.#stores.disk.requireRoom })
    this.#open.set(path, upload)
    try {
      await this.#stores.disk.makeFolder(this.#folder)
      await (await open(path, 'wx', 0o640)).close()
    } catch (error) {
      this.#open.delete(path)
      throw error
    }
    return upload
  }

  /** @throws OciError  BLOB_UPLOAD_UNKNOWN */
  async find(name: RepositoryName, id: string): Promise<Upload> {
    const path = ID.test(id) ? this.#path(name, id) : undefined
    const upload = path === undefined ? undefined : (this.#open.get(path) ?? (await this.#resume(id, path)))
    if (upload === undefined) throw uploadUnknown(name, id)
    return upload
  }

  async #resume(id: string, path: string): Promise<Upload | undefined> {
    const file = await stat(path).catch(unlessMissing)
    const already = this.#open.get(path)
    if (already !== undefined || file === undefined) return already
    const upload = new Upload(id, path, {
      algorithm: 'sha256',
      offset: file.size,
      requireRoom: this.#stores.disk.requireRoom,
    })
    this.#open.set(path, upload)
    return upload
  }

  /**
   * The blob is in the repository, durably, when it resolves.
   * @throws OciError  DIGEST_INVALID; the upload has ended all the same
   */
  async finish(name: RepositoryName, upload: Upload, digest: Digest): Promise<void> {
    const { blobs, repositories, mutex } = this.#stores
    try {
      await upload.finish(digest)
      await mutex.run(digest, async () => {
        await blobs.adopt(upload.path, digest)
        await repositories.addBlob(name, digest)
      })
    } finally {
      // A disk that failed may have lost some of the bytes: this file is unusable.
      await this.cancel(upload)
    }
  }

  /** Whether anybody uploads to this repository, or did and may go on. */
  async isUnderWay(name: RepositoryName): Promise<boolean> {
    const files = (await readdir(this.#folder).catch(unlessMissing)) ?? []
    return files.some((file) => file.endsWith(`.${keyOf(name)}`))
  }

  async cancel(upload: Upload): Promise<void> {
    upload.ended = true
    this.#open.delete(upload.path)
    await rm(upload.path, { force: true })
  }

  /** Gives up those that nothing was added to for [registry] upload_timeout. @returns how many */
  async expire(now = Date.now()): Promise<number> {
    const oldest = now - this.#limits.upload_timeout * 1000
    let expired = 0
    for (const file of (await readdir(this.#folder).catch(unlessMissing)) ?? []) {
      const path = join(this.#folder, file)
      const upload = this.#open.get(path)
      const last = upload?.lastUsed ?? (await stat(path).catch(unlessMissing))?.mtimeMs ?? now
      if (last > oldest || upload?.isBusy) continue
      if (upload) await this.cancel(upload)
      else await rm(path, { force: true })
      expired++
    }
    return expired
  }
}

const keyOf = (name: RepositoryName) => createHash('sha256').update(name).digest('hex').slice(0, 16)
