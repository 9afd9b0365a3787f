/**
 * An image's bytes from one of its addresses onto a disk: which address, which variant, when to begin again. Knows
 * nothing of partitions.
 */
import { AgentError } from '../errors.ts'
import type { AgentOptions } from '../kernel-parameters.ts'
import type { Fetching } from '../protocol/fetch-whole.ts'
import { shownUrl } from '../protocol/http.ts'
import { createRetries, type Retries } from '../protocol/retries.ts'
import { expectedChecksum, isStrong } from './checksum.ts'
import { CutOff, type Download, startDownload } from './download.ts'
import type { ImageVariant } from './image-info.ts'
import { type PourOptions, pour } from './pour.ts'

export type FetchOptions = PourOptions & { options: AgentOptions; md5_enabled: boolean }

type Source = { url: string; variant: ImageVariant | undefined; retries: Retries; signal: AbortSignal }

export const fetching = (options: AgentOptions): Fetching => ({
  timeout_s: options.image_download_connection_timeout_s,
  retries: options.image_download_connection_retries,
  retry_interval_s: options.image_download_connection_retry_interval_s,
  tls: { insecure: options.insecure, minVersion: options.tls_min_version },
})

/** A variant that is not what it should be; the plain image may be. */
class VariantUnusable extends Error {
  readonly error: AgentError
  constructor(error: AgentError) {
    super(error.message, { cause: error })
    this.error = error
  }
}

/**
 * Tries each address, and of each the variant first.
 * @returns size of the image. @throws AgentError
 */
export async function fetchImage(task: FetchOptions): Promise<number> {
  const { image, options } = task
  const limit_s = options.image_download_max_duration_s
  const overall = limit_s > 0 ? AbortSignal.timeout(limit_s * 1000) : undefined
  const problems: string[] = []
  for (const url of image.urls) {
    try {
      return await fetchFrom(task, url, overall)
    } catch (error) {
      if (overall?.aborted) {
        const why = `Download of image ${image.id} failed: Download exceeded max allowed time (${limit_s} seconds)`
        throw new AgentError('ImageDownloadTimeoutError', why, { cause: error })
      }
      if (!(error instanceof AgentError) || error.kind !== 'ImageDownloadError') throw error
      problems.push(error.details)
    }
  }
  throw new AgentError('ImageDownloadError', problems.join(' '))
}

async function fetchFrom(task: FetchOptions, url: string, overall: AbortSignal | undefined): Promise<number> {
  const signal = overall ?? new AbortController().signal
  const attempts = createRetries({ ...fetching(task.options), signal })
  let variant = task.image.variants.find(({ checksum }) => isStrong(checksum.algorithm))
  for (;;) {
    try {
      return await fetchOnce(task, { url, variant, retries: attempts, signal })
    } catch (error) {
      if (error instanceof VariantUnusable && variant) {
        variant = undefined
        task.screen.say(`${error.error.details} Taking the plain image.`)
      } else if (error instanceof CutOff) {
        if (!(await attempts.again())) throw error.error
        task.screen.say(`${error.error.details} Beginning again.`)
      } else throw error
    }
  }
}

async function fetchOnce(task: FetchOptions, { signal, ...source }: Source): Promise<number> {
  const { image, options, screen } = task
  const { timeout_s, tls } = fetching(options)
  const stop = new AbortController()
  let onWire = { done: 0, total: undefined as number | undefined }
  let download: Download | undefined
  try {
    download = await startDownload({
      image,
      url: source.url,
      variant: source.variant,
      retries: source.retries,
      checksum: () => expectedChecksum(image, { md5_enabled: task.md5_enabled, ...fetching(options) }),
      timeout_s,
      tls,
      signal: AbortSignal.any([stop.signal, signal]),
      onBytes: (done, total) => {
        onWire = { done, total }
      },
      onRetry: (why) => screen.say(`Image from ${shownUrl(source.url)}: ${why}`),
    })
    return await pour(download, task, () => onWire)
  } catch (error) {
    const wrong = error instanceof AgentError && /^(ImageChecksumError|InvalidImage)$/.test(error.kind)
    throw wrong && download?.encoding ? new VariantUnusable(error) : error
  } finally {
    // Whatever is still open to the server.
    stop.abort()
  }
}
