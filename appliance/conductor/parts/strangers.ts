/** Who asked as a machine and was not it: told in the log, in the node and in health. Each a few times only. */
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Store } from '../../records/store.ts'

export type Strangers = {
  /**
   * Throws nothing: the stranger gets the same answer while the disk is full.
   * @param what  a sentence: who asked for what, and why not. The same one is told once a minute, of one node a few
   */
  note(uuid: string, what: string): Promise<void>
  /** For health: how many were refused within the last hour, and the last sentence. undefined: nobody */
  problem(): string | undefined
  /** The node is deployed: what was before is of no concern any more. */
  forget(uuid: string): void
}

/** The same again is counted only. */
const TOLD_EVERY_MS = 60_000
/** Of one node, within that time: a stranger may have any number of addresses, and each makes another sentence. */
const TOLD_OF_NODE = 10
const SHOWN_FOR_MS = 60 * 60_000
const KEYS_LIMIT = 1_000

type Refused = { count: number; last: string; at: number }

export function createStrangers(parts: { store: Pick<Store, 'nodes'>; log: Log }, now = Date.now): Strangers {
  const refused = new Map<string, Refused>()
  const told = new Map<string, number>()
  const ofNodes = new Map<string, { since: number; told: number }>()
  const isTold = (key: string) => {
    if (now() - (told.get(key) ?? Number.NEGATIVE_INFINITY) < TOLD_EVERY_MS) return true
    if (told.size >= KEYS_LIMIT) told.clear()
    told.set(key, now())
    return false
  }
  const areEnough = (uuid: string) => {
    const known = ofNodes.get(uuid)
    if (known && now() - known.since < TOLD_EVERY_MS) return ++known.told > TOLD_OF_NODE
    if (ofNodes.size >= KEYS_LIMIT) ofNodes.clear()
    ofNodes.set(uuid, { since: now(), told: 1 })
    return false
  }
  return {
    async note(uuid, what) {
      const count = (refused.get(uuid)?.count ?? 0) + 1
      refused.set(uuid, { count, last: what, at: now() })
      if (isTold(what) || areEnough(uuid)) return
      parts.log.warn('stranger refused', { node: uuid, reason: what })
      if (!parts.store.nodes.get(uuid)) return
      const at = new Date(now()).toISOString()
      try {
        await parts.store.nodes.update(uuid, ({ driver_internal_info: known }) => {
          const { count = 0 } = known.refused_strangers ?? {}
          return { driver_internal_info: { ...known, refused_strangers: { count: count + 1, last: what, at } } }
        })
      } catch (error) {
        parts.log.warn('stranger is not written to the node', { node: uuid, reason: messageOf(error) })
      }
    },
    problem() {
      for (const [uuid, { at }] of refused) if (now() - at > SHOWN_FOR_MS) refused.delete(uuid)
      const all = [...refused.values()].sort((one, other) => other.at - one.at)
      const [latest] = all
      if (!latest) return undefined
      const count = all.reduce((sum, one) => sum + one.count, 0)
      return `${count} requests in the name of machines were refused; the last: ${latest.last}`
    },
    forget: (uuid) => void refused.delete(uuid),
  }
}
