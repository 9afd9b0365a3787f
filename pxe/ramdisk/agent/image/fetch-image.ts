/** An image's bytes from one of its addresses onto a disk: retries, progress, refusals. Knows nothing of partitions. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { AgentError, messageOf } from '../errors.ts'
import type { Disk } from '../hardware/disks.ts'
import { gib } from '../hardware/root-device.ts'
import type { AgentOptions } from '../kernel-parameters.ts'
import type { Programs } from '../programs.ts'
import type { Progress } from '../protocol/commands.ts'
import type { Screen } from '../screen.ts'
import { expectedChecksum, isStrong } from './checksum.ts'
import { clearDisk } from './clear-disk.ts'
import { CutOff, type Download, startDownload } from './download.ts'
import type { ImageInfo } from './image-info.ts'
import { DiskFull, openSparseWriter } from './sparse-writer.ts'

export type FetchOptions = {
  root: string
  disk: Disk
  image: ImageInfo
  options: AgentOptions
  md5_enabled: boolean
  programs: Programs
  screen: Screen
  progress(progress: Progress): void
}

const PROGRESS_EVERY_MS = 250
const MIB = 1024 * 1024

export const writeFailed = (disk: Disk, why: string, cause?: unknown) =>
  new AgentError('ImageWriteError', `Writing image to device ${disk.name} failed: ${why}.`, { cause })

export const fetching = (options: AgentOptions) => ({
  timeout_s: options.image_download_connection_timeout_s,
  tls: { insecure: options.insecure, minVersion: options.tls_min_version },
})

/**
 * Tries each address; once bytes have come, another attempt begins at the same one.
 * @returns size of the image. @throws AgentError
 */
export async function fetchImage(task: FetchOptions): Promise<number> {
  const problems: string[] = []
  for (const url of task.image.urls) {
    try {
      return await writeFrom(task, url)
    } catch (error) {
      if (!(error instanceof AgentError) || error.kind !== 'ImageDownloadError') throw error
      problems.push(error.details)
    }
  }
  throw new AgentError('ImageDownloadError', problems.join(' '))
}

/** @throws AgentError */
async function writeFrom(task: FetchOptions, url: string): Promise<number> {
  const { image_download_connection_retries: retries, image_download_connection_retry_interval_s: pause_s } =
    task.options
  for (let attempt = 0; ; attempt++) {
    try {
      return await writeOnce(task, url)
    } catch (error) {
      if (!(error instanceof CutOff)) throw error
      if (attempt >= retries) throw error.error
      task.screen.say(`${error.message} Beginning again in ${pause_s} s.`)
    }
    await pause(pause_s * 1000)
  }
}

async function writeOnce(task: FetchOptions, url: string): Promise<number> {
  const { image, options, screen } = task
  const limit_s = options.image_download_max_duration_s
  const stop = new AbortController()
  const overall = limit_s > 0 ? AbortSignal.timeout(limit_s * 1000) : undefined
  const signal = overall ? AbortSignal.any([stop.signal, overall]) : stop.signal
  const checksums = { md5_enabled: task.md5_enabled, ...fetching(task.options) }
  let onWire = { done: 0, total: undefined as number | undefined }
  try {
    const download = await startDownload({
      image,
      url,
      variant: image.variants.find(({ checksum }) => isStrong(checksum.algorithm)),
      checksum: () => expectedChecksum(image, checksums),
      ...fetching(task.options),
      retries: options.image_download_connection_retries,
      retry_interval_s: options.image_download_connection_retry_interval_s,
      signal,
      onBytes: (done, total) => {
        onWire = { done, total }
      },
      onRetry: (why) => screen.say(`Image download: ${why}`),
    })
    return await pour(download, task, () => onWire)
  } catch (error) {
    if (!overall?.aborted) throw error
    const why = `Download of image ${image.id} failed: Download exceeded max allowed time (${limit_s} seconds)`
    throw new AgentError('ImageDownloadTimeoutError', why, { cause: error })
  } finally {
    // Whatever is still open to the server.
    stop.abort()
  }
}

/** Nothing is touched before the size is known to fit; after that the disk's old content is gone. */
async function pour(
  download: Download,
  task: FetchOptions,
  onWire: () => { done: number; total: number | undefined },
): Promise<number> {
  const { disk, root, screen } = task
  const { size_bytes } = download
  if (size_bytes !== undefined && size_bytes > disk.size) {
    const needed = `the image needs ${size_bytes} bytes (${gib(size_bytes)}), the disk has ${disk.size} (${gib(disk.size)})`
    throw writeFailed(disk, `it is too small: ${needed}. Name a larger disk in properties/root_device`)
  }
  const path = join(root, disk.name)
  await access(path).catch((cause: unknown) => {
    throw writeFailed(disk, messageOf(cause), cause)
  })
  const started = performance.now()
  let done = 0
  let shown = Number.NEGATIVE_INFINITY
  const show = (force: boolean) => {
    const now = performance.now()
    if (!force && now - shown < PROGRESS_EVERY_MS) return
    shown = now
    const total = size_bytes ?? onWire().total
    task.progress({
      note: `writing image to ${disk.name}`,
      done,
      unit: 'bytes',
      ...(total === undefined ? {} : { total }),
    })
    screen.progress(
      progressLine({ disk: disk.name, done, total, wire: onWire().done, seconds: (now - started) / 1000 }),
    )
  }
  try {
    const skipZeros = size_bytes !== undefined && (await clearDisk(path, size_bytes, task.programs))
    await using writer = await openSparseWriter(path, {
      size_bytes: disk.size,
      sector_bytes: disk.logical_sectors,
      skipZeros,
    })
    for await (const chunk of download.content) {
      await writer.write(chunk)
      done += chunk.length
      show(false)
    }
    const { written_bytes } = await writer.finish()
    show(true)
    screen.say(
      `Image written and verified: ${mib(done)} in ${((performance.now() - started) / 1000).toFixed(1)} s, ${mib(written_bytes)} ` +
        `of it data, ${mib(onWire().done)} over the network${download.encoding ? ` (${download.encoding})` : ''}`,
    )
    return done
  } catch (error) {
    if (error instanceof AgentError || error instanceof CutOff) throw error
    const busy = (error as NodeJS.ErrnoException).code === 'EBUSY'
    const why = busy ? 'it is in use (mounted, or part of a RAID)' : messageOf(error)
    throw writeFailed(
      disk,
      error instanceof DiskFull ? `${why}. Name a larger disk in properties/root_device` : why,
      error,
    )
  }
}

const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`

function progressLine(p: {
  disk: string
  done: number
  total: number | undefined
  wire: number
  seconds: number
}): string {
  const percent = p.total ? `${Math.floor((100 * p.done) / p.total)} %` : ''
  const of = p.total ? ` of ${mib(p.total)}` : ''
  const rate = p.seconds > 0.5 ? `, ${Math.round(p.done / MIB / p.seconds)} MiB/s` : ''
  return `  ${p.disk} ${percent.padStart(5)}  ${mib(p.done)}${of}${rate}, ${mib(p.wire)} received, ${p.seconds.toFixed(0)} s`
}
