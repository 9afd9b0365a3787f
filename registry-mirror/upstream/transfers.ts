/** Transfers of blobs from upstreams: one for each blob, however many clients ask. At its end the blob is stored. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '@appliance/ground/errno'
import type { RegistryLog } from '../config/config.ts'
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/names.ts'
import type { Storage } from '../storage/storage.ts'
import { UpstreamFailure } from './failure.ts'
import { Transfer } from './transfer.ts'
import type { Upstream } from './upstream.ts'

/** Age at which the file of an abandoned transfer is removed. */
const LEFTOVER_LIFE_MS = 24 * 3600_000

export type BlobWanted = { upstream: Upstream; repository: string; name: RepositoryName; digest: Digest }
type Running = { transfer: Transfer; names: Set<RepositoryName>; ended: Promise<void> }

export class Transfers {
  readonly #storage: Storage
  readonly #log: RegistryLog
  readonly #folder: string
  readonly #running = new Map<Digest, Running>()

  constructor(storage: Storage, log: RegistryLog) {
    this.#storage = storage
    this.#log = log
    this.#folder = join(storage.disk.root, 'transfers')
  }

  /** Whether no transfer runs for other repositories only. */
  mayJoin = (name: RepositoryName, digest: Digest): boolean => this.#running.get(digest)?.names.has(name) ?? true

  /** Makes the folder, and removes abandoned files. Called before the first transfer. */
  async open(now = Date.now()): Promise<void> {
    await this.#storage.disk.makeFolder(this.#folder)
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      const found = await stat(path).catch(unlessMissing)
      if (found && found.mtimeMs < now - LEFTOVER_LIFE_MS) await rm(path, { force: true })
    }
  }

  /** Joins the running transfer, or starts one. */
  join({ upstream, repository, name, digest }: BlobWanted): Transfer {
    const running = this.#running.get(digest)
    if (running) {
      running.names.add(name)
      return running.transfer
    }
    const path = join(this.#folder, digest.replace(':', '-'))
    const transfer = new Transfer(digest, path, {
      client: upstream.client,
      repository,
      throttle: upstream.throttle,
      max_bytes: this.#storage.max_blob_bytes,
      requireRoom: this.#storage.disk.requireRoom,
      onBytes: (bytes) => {
        upstream.counts.blob_bytes += bytes
      },
    })
    const names = new Set([name])
    const ended = upstream.semaphore
      .run(() => this.#run(transfer, path, names))
      .finally(() => this.#running.delete(digest))
    this.#running.set(digest, { transfer, names, ended })
    return transfer
  }

  settled = (digest: Digest): Promise<void> => this.#running.get(digest)?.ended ?? Promise.resolve()

  /** Aborts all transfers. Their bytes stay, and the next ones continue from them. */
  async close(): Promise<void> {
    const running = [...this.#running.values()]
    for (const { transfer } of running) transfer.stop()
    await Promise.all(running.map(({ ended }) => ended))
  }

  /** Never rejects: its readers get the error. */
  async #run(transfer: Transfer, path: string, names: ReadonlySet<RepositoryName>): Promise<void> {
    const { digest } = transfer
    const began = performance.now()
    try {
      if (!(await transfer.run())) return await rm(path, { force: true })
      const { blobs, repositories, mutex } = this.#storage
      await mutex.run(digest, async () => {
        await blobs.adopt(path, digest)
        // Repositories that joined until now are in it; later ones find the blob.
        for (const name of names) await repositories.addBlob(name, digest)
      })
      const size_bytes = await transfer.size()
      const duration_s = Math.round(performance.now() - began) / 1000
      this.#log.info('blob pulled', { repositories: [...names], digest, size_bytes, duration_s })
    } catch (error) {
      const isLie = error instanceof UpstreamFailure && (error.kind === 'lying' || error.kind === 'too large')
      // No transfer may continue from wrong bytes.
      if (isLie) await rm(path, { force: true }).catch(() => {})
      this.#log.error('a blob could not be pulled', {
        repositories: [...names],
        digest,
        error: (error as Error).message,
      })
    }
  }
}
