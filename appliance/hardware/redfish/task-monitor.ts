/**
 * What a BMC does in the background: it answers 202 with the address of a task monitor, which is asked until it is
 * done.
 * @source DSP0266 section 12.2, asynchronous operations; sushy taskmonitor.py
 */
import type { Client } from './client.ts'
import { linkAt, listAt, textAt } from './members.ts'
import { here } from './place.ts'
import type { Answer } from './wire.ts'

const SHORTEST_PAUSE_S = 0.2
const LONGEST_PAUSE_S = 60
const DEFAULT_PAUSE_S = 1
const LONGEST_QUOTE = 300

/** Bounds the task where nobody else does. */
const DEADLINE_S = 30 * 60
const FAILED: readonly string[] = ['Exception', 'Killed', 'Cancelled', 'Cancelling', 'Interrupted', 'Stopping']
const COMPLETED = 'Completed'

/** Of a BMC at hand. */
type Waiter = {
  client: Client
  signal: AbortSignal
  pause(seconds: number): Promise<void>
  failure(words: string): Error
}

/** Where the task of an answer is; undefined: it is none. */
function taskOf(bmc: Waiter, answer: Answer): string | undefined {
  if (answer.status !== 202) return undefined
  // The monitor is in the header; the body is the task, which tells the same when it is asked.
  const link = answer.location ?? linkAt(answer.body, '@odata.id')
  if (link === undefined) return undefined
  const { pathname, search } = here(bmc.client.access, link, answer.url)
  return pathname + search
}

/**
 * Waits for the end of what was begun. An answer that is no task is at its end. A task that fails is an error.
 * @throws RedfishFailure; the signal's reason
 */
export async function finished(bmc: Waiter, begun: Answer): Promise<Answer> {
  const link = taskOf(bmc, begun)
  if (link === undefined) return begun
  const deadline_ms = performance.now() + DEADLINE_S * 1000
  let pause_s = begun.retry_after_s ?? DEFAULT_PAUSE_S
  for (;;) {
    await bmc.pause(Math.min(Math.max(pause_s, SHORTEST_PAUSE_S), LONGEST_PAUSE_S))
    const answer = await bmc.client.ask(link, bmc.signal)
    if (isOver(bmc, link, answer)) return answer
    if (performance.now() > deadline_ms) throw bmc.failure(`did not end its task ${link} within ${DEADLINE_S} s.`)
    pause_s = answer.retry_after_s ?? DEFAULT_PAUSE_S
  }
}

/**
 * A monitor answers 202 until its task is over, and then as the request would have. A task, which some give instead,
 * answers 200 always, and tells by its state.
 * @throws RedfishFailure  the task failed
 */
function isOver(bmc: Waiter, link: string, { status, body }: Answer): boolean {
  const state = textAt(body, 'TaskState')
  if (state !== undefined && FAILED.includes(state)) {
    throw bmc.failure(`failed in its task ${link} (${state})${wordsOf(body)}`)
  }
  if (state === COMPLETED) {
    const health = textAt(body, 'TaskStatus')
    if (health === 'Critical') throw bmc.failure(`failed in its task ${link} (${health})${wordsOf(body)}`)
    return true
  }
  return status !== 202 && state === undefined
}

/** What the task says of itself. */
function wordsOf(body: unknown): string {
  const words = listAt(body, 'Messages')
    .slice(0, 5)
    .map((each) => textAt(each, 'Message') ?? textAt(each, 'MessageId'))
    .filter((each) => each !== undefined)
  return words.length === 0 ? '.' : `: ${words.join(' ').slice(0, LONGEST_QUOTE)}`
}
