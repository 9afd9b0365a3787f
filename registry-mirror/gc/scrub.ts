/**
 * Reads all content from the disk at a bounded rate. Content that does not match its digest moves to quarantine/ and
 * is fetched anew, or is 404.
 */
import { createHash, type Hash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { codeOf, unlessMissing } from '@appliance/ground/errno'
import type { Progress } from '@appliance/ground/jobs'
import type { RegistryLog } from '../config/config.ts'
import { algorithmOf, type Digest, digestOfHash } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/names.ts'
import type { Content } from '../storage/content.ts'
import type { Storage } from '../storage/storage.ts'

export type ScrubOptions = {
  /** 0: unlimited. */
  bytes_per_s: number
  /** The source of content in the place of damaged content. */
  content: Content
  log: RegistryLog
  signal: AbortSignal
  progress: Progress
}
export type Scrubbed = { blobs: number; bytes: number; damaged: number; repaired: number }

const CHUNK_BYTES = 512 * 1024
const APPEARS_WITHIN_MS = 10_000

export async function scrub(storage: Storage, options: ScrubOptions): Promise<Scrubbed> {
  const counts: Scrubbed = { blobs: 0, bytes: 0, damaged: 0, repaired: 0 }
  const { signal, progress, log } = options
  const pace = paceOf(options)
  const damaged: Digest[] = []
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  for await (const digest of storage.blobs.list()) {
    signal.throwIfAborted()
    const found = await check(storage, digest, buffer, async (bytes) => {
      counts.bytes += bytes
      progress({ ...counts })
      await pace(bytes)
    })
    counts.blobs++
    if (found === undefined || found.is === digest) continue
    if (!(await quarantine(storage, digest, found.inode))) continue
    counts.damaged++
    damaged.push(digest)
    log.error('content is damaged', { digest, found: found.is, moved_to: quarantinePath(storage, digest) })
  }
  for (const digest of damaged) if (await repair(storage, digest, options)) counts.repaired++
  return counts
}

/** @returns a function that waits after so many bytes */
function paceOf({ bytes_per_s, signal }: ScrubOptions): (bytes: number) => Promise<void> {
  let due = performance.now()
  return async (bytes) => {
    signal.throwIfAborted()
    if (bytes_per_s === 0) return
    // Idle time gives no credit.
    due = Math.max(due, performance.now() - 1000) + (bytes / bytes_per_s) * 1000
    const ahead_ms = due - performance.now()
    if (ahead_ms > 1) await wait(ahead_ms, undefined, { signal })
  }
}

/** @returns the digest of the file, or why it cannot be read; undefined  it is gone */
async function check(
  storage: Storage,
  digest: Digest,
  buffer: Buffer,
  onPiece: (bytes: number) => Promise<void>,
): Promise<{ is: string; inode: number } | undefined> {
  const file = await open(storage.blobs.path(digest)).catch(unlessMissing)
  if (file === undefined) return undefined
  try {
    const { ino: inode } = await file.stat()
    const hash: Hash = createHash(algorithmOf(digest))
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) return { is: digestOfHash(algorithmOf(digest), hash), inode }
      hash.update(buffer.subarray(0, bytesRead))
      await onPiece(bytesRead)
    }
  } catch (error) {
    // The disk reports the damage itself.
    if (codeOf(error) === 'EIO') return { is: 'unreadable', inode: (await file.stat()).ino }
    throw error
  } finally {
    await file.close()
  }
}

const quarantinePath = (storage: Storage, digest: Digest) =>
  join(storage.disk.root, 'quarantine', digest.replace(':', '-'))

/** The claims stay: a push repairs the content for all. @returns false  another file is there by now */
function quarantine(storage: Storage, digest: Digest, inode: number): Promise<boolean> {
  return storage.mutex.run(digest, async () => {
    const path = storage.blobs.path(digest)
    if ((await stat(path).catch(unlessMissing))?.ino !== inode) return false
    await storage.disk.place(path, quarantinePath(storage, digest))
    return true
  })
}

/** Pulls the content as a client would, so that an upstream gives it again. */
async function repair(storage: Storage, digest: Digest, options: ScrubOptions): Promise<boolean> {
  const { repositories, blobs, manifests } = storage
  let isBack = false
  for await (const name of repositories.names()) {
    options.signal.throwIfAborted()
    const isManifest = (await repositories.mediaTypeOf(name, digest)) !== undefined
    // The cached copy may be damaged as well.
    if (isManifest) manifests.forget(name, digest)
    if (isBack || !(isManifest || (await repositories.hasBlob(name, digest)))) continue
    const wasGiven = await askFor(name, digest, { ...options, isManifest })
    isBack = wasGiven && (await appears(() => blobs.sizeOf(digest), options.signal))
    if (isBack) options.log.info('damaged content was had again', { repository: name, digest })
  }
  return isBack
}

async function askFor(
  name: RepositoryName,
  digest: Digest,
  { content, log, isManifest }: ScrubOptions & { isManifest: boolean },
): Promise<boolean> {
  try {
    // The digest may be a manifest and a blob; upstreams serve some entries of an index as blobs alone.
    return (isManifest && (await content.manifest(name, digest)) !== undefined) || (await drain(content, name, digest))
  } catch (error) {
    log.warn('damaged content cannot be had again', { repository: name, digest, error: (error as Error).message })
    return false
  }
}

/** A transfer is stored only a moment after its last byte was read. */
async function appears(sizeOf: () => Promise<number | undefined>, signal: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + APPEARS_WITHIN_MS
  while ((await sizeOf()) === undefined) {
    if (performance.now() > deadline) return false
    await wait(20, undefined, { signal })
  }
  return true
}

/** @returns false  no upstream has it */
async function drain(content: Content, name: RepositoryName, digest: Digest): Promise<boolean> {
  const reader = await content.openBlob(name, digest)
  if (reader === undefined) return false
  try {
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    for (let at = 0; ; ) {
      const bytes = await reader.read(buffer, buffer.length, at)
      if (bytes === 0) return true
      at += bytes
    }
  } finally {
    await reader.close()
  }
}
