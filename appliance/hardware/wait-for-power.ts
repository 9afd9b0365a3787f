/**
 * Waits until a machine is on or off, asking quickly at first: a BMC acknowledges a command before the machine has
 * followed it.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { BmcFailure, messageOf } from '../errors.ts'
import type { PowerState } from '../plugin-api/interfaces.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 500

export type PowerWait = {
  read: () => Promise<PowerState>
  wanted: PowerState
  timeout_s: number
  signal: AbortSignal
  /** Begins the sentence when the time is up. */
  bmc: string
  /** LONGEST_PAUSE_MS when left out. */
  longest_pause_ms?: number
}

/** @throws BmcFailure  when the time is up; a BMC that fails to answer in between is asked again until then */
export async function waitForPower({
  read,
  wanted,
  timeout_s,
  signal,
  bmc,
  longest_pause_ms = LONGEST_PAUSE_MS,
}: PowerWait): Promise<void> {
  const deadline_ms = performance.now() + timeout_s * 1000
  for (let pause_ms = FIRST_PAUSE_MS; ; pause_ms = Math.min(pause_ms * 1.5, longest_pause_ms)) {
    const found = await read().catch((error) => {
      if (error instanceof BmcFailure) return error
      throw error
    })
    if (found === wanted) return
    if (performance.now() + pause_ms > deadline_ms) {
      const last = found instanceof BmcFailure ? messageOf(found) : `it still says ${found}. Look at the machine.`
      throw new BmcFailure(`${bmc} did not reach "${wanted}" within ${timeout_s} s: ${last}`)
    }
    await pause(pause_ms, undefined, { signal })
  }
}
