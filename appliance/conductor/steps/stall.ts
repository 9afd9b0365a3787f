/** Gives a plugin's work a deadline that counts from its last sign of progress, even when the work heeds no signal. */
import { DeployFailure } from '../../errors.ts'
import type { Progress } from '../../plugin-api/index.ts'

export type Guard = { signal: AbortSignal; onProgress(progress: Progress): void }

/**
 * Work that is called off gets so long to end: a machine that it is switching on must not come on after the failure.
 */
const END_DEADLINE_MS = 2_000

/** setTimeout takes no more. */
const LONGEST_MS = 2 ** 31 - 1

/**
 * @param limit_s  0: for ever
 * @throws DeployFailure  no progress for `limit_s`; the signal's reason
 */
export async function whileItProgresses<T>(
  what: string,
  limit_s: number,
  operation: AbortSignal,
  act: (guard: Guard) => Promise<T>,
): Promise<T> {
  const stalled = new AbortController()
  const fail = () => stalled.abort(new DeployFailure(`${what} made no progress for ${limit_s} s.`))
  const timer = limit_s === 0 ? undefined : setTimeout(fail, Math.min(limit_s * 1000, LONGEST_MS))
  const signal = AbortSignal.any([operation, stalled.signal])
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  let acting: Promise<T> | undefined
  try {
    signal.throwIfAborted()
    acting = act({ signal, onProgress: () => timer?.refresh() })
    return await Promise.race([acting, aborted])
  } catch (error) {
    if (signal.aborted) await ended(acting)
    // Work that is called off fails in its own words. The reason for calling it off is what counts.
    signal.throwIfAborted()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Work that heeds no signal is not waited for any longer. */
async function ended(acting: Promise<unknown> | undefined): Promise<void> {
  const { promise: deadline, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, END_DEADLINE_MS)
  await Promise.race([Promise.allSettled([acting]), deadline])
  clearTimeout(timer)
}
