/**
 * Finds out which node this machine is. Asks until it is answered, in ironic-python-agent's rhythm; the screen says
 * why it waits.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { AgentError, messageOf } from '../errors.ts'
import type { Screen } from '../screen.ts'
import type { IronicApi, Lookup, LookupAnswer } from './ironic-api.ts'

export type LookupOptions = {
  timeout_s: number
  interval_s: number
  max_interval_s?: number
  /** For a locked node: the first, the second and every further time. */
  lock_pauses_s?: readonly number[]
  random?: () => number
}

/** @source ironic-python-agent ironic_api_client.py */
const LOCK_PAUSES_S = [5, 10, 30]
const MAX_INTERVAL_S = 60

/** @throws AgentError LookupNodeError  no answer within timeout_s */
export async function waitForLookup(
  api: IronicApi,
  addresses: () => Promise<readonly string[]>,
  screen: Screen,
  options: LookupOptions,
): Promise<Lookup> {
  const { timeout_s, interval_s, max_interval_s = MAX_INTERVAL_S, random = Math.random } = options
  const pauses_s = options.lock_pauses_s ?? LOCK_PAUSES_S
  const started = performance.now()
  let locked = 0
  let shown = ''
  for (let attempt = 0; ; attempt++) {
    const macs = await addresses()
    const answer = await api
      .lookup(macs)
      .catch((error: unknown) => ({ kind: 'unreachable', why: messageOf(error) }) as const)
    if (answer.kind === 'found') return answer.lookup
    const reason = explain(answer, api.url, macs)
    if (reason !== shown) screen.say(reason)
    shown = reason
    const most = Math.max(interval_s, Math.min(max_interval_s, interval_s * 2 ** attempt))
    const interval = interval_s + random() * (most - interval_s)
    const lock = answer.kind === 'locked' ? (pauses_s[Math.min(locked++, pauses_s.length - 1)] ?? 0) : 0
    if ((performance.now() - started) / 1000 + interval + lock > timeout_s) {
      throw new AgentError('LookupNodeError', `${reason} Gave up after ${timeout_s} s.`)
    }
    await pause((interval + lock) * 1000)
  }
}

function explain(
  answer: Exclude<LookupAnswer, { kind: 'found' }> | { kind: 'unreachable'; why: string },
  url: string,
  macs: readonly string[],
): string {
  const cards = macs.join(', ') || 'none'
  if (answer.kind === 'unreachable') return `No answer to the lookup: ${answer.why}. Trying again.`
  if (answer.kind === 'locked') return `Node is locked at ${url} (${answer.why}). Waiting for it.`
  if (answer.status === 404) {
    return (
      `Lookup refused by ${url}: no node has a port with one of this machine's MAC addresses (${cards}), or that node is not ` +
      'being deployed, cleaned or inspected. Create the port, or deploy the node; asking again.'
    )
  }
  return `Lookup refused by ${url} for the MAC addresses ${cards}: ${answer.why}. Asking again.`
}
