/** Gives work that a plugin does a deadline from its last sign of progress: also work that heeds no signal. */
import { DeployFailure } from '../../errors.ts'
import type { Progress } from '../../plugin-api/index.ts'

export type Guard = { signal: AbortSignal; onProgress(progress: Progress): void }

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
  try {
    signal.throwIfAborted()
    return await Promise.race([act({ signal, onProgress: () => timer?.refresh() }), aborted])
  } catch (error) {
    // What was called off fails in its own words; why it was is what counts.
    signal.throwIfAborted()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}
