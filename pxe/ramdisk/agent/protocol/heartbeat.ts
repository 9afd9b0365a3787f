/**
 * Tells Ironic from time to time that the agent lives, and at once when a command has ended. Does nothing with the
 * answer but wait.
 */
import { messageOf } from '../errors.ts'
import type { Screen } from '../screen.ts'
import type { HeartbeatAnswer } from './ironic-api.ts'

export type Heartbeater = {
  /** Soon, instead of at its time. */
  force(): void
  stop(): void
}
export type HeartbeaterOptions = {
  send(): Promise<HeartbeatAnswer>
  timeout_s: number
  screen: Screen
  random?: () => number
  /** Shortest time between two. ironic-python-agent has 5 s; ours is eager, so that a deploy does not wait for it. */
  least_interval_s?: number
  /**
   * Pause after the first failure, times 1 to 2, doubled with each further one: a node is mostly locked for a moment
   * only.
   */
  first_retry_s?: number
  /** The longest one, times 1 to 2. */
  retry_s?: number
}

/**
 * @source ironic-python-agent agent.py: of the time that Ironic allows, a random part, so that a rack does not call
 * in step
 */
const LEAST_PART = 0.3
const MOST_PART = 0.6
const RETRY_S = 5
const FIRST_RETRY_S = 1
const LEAST_INTERVAL_S = 1

/** The first one goes out at once. */
export function startHeartbeats(options: HeartbeaterOptions): Heartbeater {
  const { random = Math.random, least_interval_s = LEAST_INTERVAL_S, retry_s = RETRY_S } = options
  const { first_retry_s = FIRST_RETRY_S } = options
  let timer: NodeJS.Timeout | undefined
  let last = Number.NEGATIVE_INFINITY
  let busy = false
  let forced = false
  let stopped = false
  let complained = ''
  let failures = 0

  const beat = async () => {
    busy = true
    forced = false
    const problem = await options.send().then(
      (answer) => (answer.accepted ? undefined : answer.why),
      (error: unknown) => messageOf(error),
    )
    if (problem && problem !== complained) options.screen.say(`Heartbeat not taken: ${problem}. Trying again.`)
    complained = problem ?? ''
    const pause_s = Math.min(retry_s, first_retry_s * 2 ** failures)
    failures = problem ? failures + 1 : 0
    last = performance.now()
    busy = false
    if (stopped) return
    const part = LEAST_PART + random() * (MOST_PART - LEAST_PART)
    const interval_s = problem ? pause_s * (1 + random()) : options.timeout_s * part
    schedule(forced ? Math.min(interval_s, least_interval_s) : interval_s)
  }
  const schedule = (delay_s: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => void beat(), delay_s * 1000)
  }
  void beat()
  return {
    force() {
      forced = true
      if (busy || stopped) return
      schedule(Math.max(0, least_interval_s - (performance.now() - last) / 1000))
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
