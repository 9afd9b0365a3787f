/** All that lies under storage_path, opened together. */
import { createKeyedMutex, type KeyedMutex } from '@appliance/ground/keyed-mutex'
import type { Reserve } from '@appliance/ground/reserve'
import { RegistryError } from '../oci/errors.ts'
import { BlobStore } from './blobs.ts'
import { Disk } from './disk/disk.ts'
import { lockStorage } from './disk/lock.ts'
import { Guards } from './guards.ts'
import { ManifestStore } from './manifests.ts'
import { Repositories } from './repositories.ts'
import { RegistryState } from './state.ts'
import { Uploads } from './uploads.ts'

export type Storage = {
  disk: Disk
  blobs: BlobStore
  repositories: Repositories
  manifests: ManifestStore
  uploads: Uploads
  /** What is not content: origins, last uses, pins. */
  state: RegistryState
  /** Which repositories are only for who has their pull secret. */
  guards: Guards
  /**
   * Of repositories, by name, and of content, by digest (the inner one). Code that reads one and then changes it runs
   * under its mutex.
   */
  mutex: KeyedMutex
  /** Infinite: no limit. */
  max_blob_bytes: number
  /** Lets another process have the folder. */
  release(): void
}

type Given = {
  storage_path: string
  max_uploads: number
  upload_timeout: number
  max_blob_size: number
  reserve?: Reserve
}

/** @throws RegistryError  the folder cannot be used, or another process uses it */
export async function openStorage({ storage_path, max_blob_size, reserve, ...limits }: Given): Promise<Storage> {
  const disk = await Disk.prepare(storage_path, reserve).catch((error: Error) => {
    throw new RegistryError(
      `[registry] storage_path ${storage_path} cannot be used: ${error.message}. Expected a folder that this process may write to.`,
      { cause: error },
    )
  })
  const lock = lockStorage(storage_path)
  try {
    await disk.clear()
    const blobs = new BlobStore(disk)
    const repositories = new Repositories(disk)
    const mutex = createKeyedMutex()
    const manifests = new ManifestStore(blobs, repositories, mutex)
    const uploads = new Uploads({ disk, blobs, repositories, mutex }, limits)
    await uploads.expire()
    const state = await RegistryState.open(disk)
    const max_blob_bytes = max_blob_size > 0 ? max_blob_size * 1024 ** 2 : Number.POSITIVE_INFINITY
    const guards = await Guards.open(disk)
    return {
      disk,
      blobs,
      repositories,
      manifests,
      uploads,
      state,
      guards,
      mutex,
      max_blob_bytes,
      release: lock.release,
    }
  } catch (error) {
    lock.release()
    throw error
  }
}
