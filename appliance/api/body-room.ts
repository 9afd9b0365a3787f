/**
 * How much of request bodies is in memory at one time. Small bodies always have room beside large ones, so that
 * config drives hold up no heartbeat.
 */
import { ServiceUnavailable } from '../errors.ts'

/** What every request but one with a config drive needs ([api] max_json_body_size is 1 MiB). */
const SMALL_BYTES = 1024 * 1024
/** Of bodies no larger than that: a thousand heartbeats, or as many that are as large as they may be. */
const SMALL_TOGETHER_BYTES = 64 * 1024 * 1024
/** Of these, from one address that nobody logged in at: it may send slowly, and never end. */
const STRANGER_BYTES = 4 * 1024 * 1024
/** A config drive of 64 MiB takes some 300 MiB until its node has it. */
const LARGE_AT_ONCE = 2
const RETRY_AFTER_S = 5

/** One request's share. */
export type BodyShare = {
  /** @param bytes  read of its body so far. @throws ServiceUnavailable  there is no room for so many */
  hold(bytes: number): void
  /** Called once, when nobody needs the body any more. */
  free(): void
}

export class BodyRoom {
  #small_bytes = 0
  #large = 0
  readonly #strangers = new Map<string, number>()

  /** @param stranger  address of a client that nobody knows: it has a small part of the room */
  share(stranger?: string): BodyShare {
    let held = 0
    let isLarge = false
    const giveBack = () => {
      this.#small_bytes -= held
      this.#count(stranger, -held)
      held = 0
    }
    const hold = (bytes: number) => {
      if (isLarge) return
      giveBack()
      if (bytes > SMALL_BYTES) {
        if (this.#large >= LARGE_AT_ONCE) throw busy(`${LARGE_AT_ONCE} requests with bodies of more than 1 MiB`)
        this.#large++
        isLarge = true
        return
      }
      if (this.#small_bytes + bytes > SMALL_TOGETHER_BYTES) throw busy('requests with bodies of 64 MiB together')
      if ((this.#strangers.get(stranger ?? '') ?? 0) + bytes > STRANGER_BYTES)
        throw busy(`requests from ${stranger} with bodies of 4 MiB together`)
      this.#small_bytes += bytes
      this.#count(stranger, bytes)
      held = bytes
    }
    const free = () => {
      giveBack()
      if (isLarge) this.#large--
      isLarge = false
    }
    return { hold, free }
  }

  #count(stranger: string | undefined, bytes: number): void {
    if (stranger === undefined || bytes === 0) return
    const all = (this.#strangers.get(stranger) ?? 0) + bytes
    if (all > 0) this.#strangers.set(stranger, all)
    else this.#strangers.delete(stranger)
  }
}

const busy = (what: string) =>
  new ServiceUnavailable(
    `The appliance is working on ${what} already, which is as much as it takes at once. Ask again in ${RETRY_AFTER_S} s.`,
    RETRY_AFTER_S,
  )
