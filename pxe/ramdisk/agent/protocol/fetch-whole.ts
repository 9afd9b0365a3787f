/** Fetches something small in one piece, and again where that may help. Images are not small: see image/download. */
import { openFollowing, Refused, readLimited, type TlsOptions, TooLarge } from './http.ts'
import { createRetries } from './retries.ts'

export type Fetching = { timeout_s: number; retries: number; retry_interval_s: number; tls: TlsOptions }
export type FetchWholeOptions = Fetching & { limit_bytes: number; headers?: Record<string, string> }

/** Of the time without a byte: nothing small takes longer altogether. */
const WHOLE_TIMEOUTS = 10

/** @throws Error  why it could not be had, after the last attempt */
export async function fetchWhole(url: string, options: FetchWholeOptions): Promise<Buffer> {
  const signal = AbortSignal.timeout(options.timeout_s * WHOLE_TIMEOUTS * 1000)
  const attempts = createRetries({ ...options, signal })
  for (;;) {
    try {
      return await fetchOnce(url, options, signal)
    } catch (error) {
      if (signal.aborted)
        throw new Error(`it did not come within ${options.timeout_s * WHOLE_TIMEOUTS} s`, { cause: error })
      if (error instanceof Refused || error instanceof TooLarge || !(await attempts.again())) throw error
    }
  }
}

async function fetchOnce(url: string, options: FetchWholeOptions, signal: AbortSignal): Promise<Buffer> {
  const { headers, timeout_s, tls, limit_bytes } = options
  const request = { method: 'GET', timeout_s, tls, signal, ...(headers ? { headers } : {}) } as const
  const response = await openFollowing(new URL(url), request)
  const status = response.statusCode ?? 0
  if (status === 200) return readLimited(response, limit_bytes)
  response.destroy()
  const problem = `status code ${status}, expected 200`
  throw status < 500 ? new Refused(problem) : new Error(problem)
}
