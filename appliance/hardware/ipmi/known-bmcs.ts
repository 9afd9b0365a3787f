/** What was learned of BMCs while they were asked. A restart forgets it. */

export type KnownBmc = {
  /** From a question to its answer, in whole milliseconds: measured when ipmitool got none in time. */
  answer_ms?: number
  /** By which a session was opened; undefined: not known. */
  cipher_suite?: string | undefined
  /** When the last command ended, by performance.now(). */
  ended_ms?: number
}

/** A rack has hundreds; addresses that nobody names any more must not stay for ever. */
const LIMIT = 20_000

/** By address and port. */
export function knownBmcs(): { at(place: string): KnownBmc } {
  const known = new Map<string, KnownBmc>()
  return {
    at(place) {
      const bmc = known.get(place) ?? {}
      if (known.size >= LIMIT) known.clear()
      known.set(place, bmc)
      return bmc
    },
  }
}
