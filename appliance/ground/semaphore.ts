/** A semaphore: at most `limit` callers work at a time; the others wait in the order in which they came. */

export type Semaphore = {
  /** How many wait. */
  readonly waiting: number
  /**
   * @param onWait  called when there is something to wait for
   * @returns what to call once at the end
   * @throws signal's reason, when it aborts while waiting
   */
  enter(signal?: AbortSignal, onWait?: () => void): Promise<() => void>
  /** Enters, works and leaves. */
  run<T>(work: () => Promise<T>): Promise<T>
}

export function createSemaphore(limit: number): Semaphore {
  let free = limit
  const queue = new Set<() => void>()
  const leave = () => {
    const [next] = queue
    if (next) next()
    else free++
  }

  function wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leaveQueue = () => {
        queue.delete(go)
        signal?.removeEventListener('abort', abort)
      }
      const go = () => {
        leaveQueue()
        resolve()
      }
      const abort = () => {
        leaveQueue()
        reject(signal?.reason)
      }
      queue.add(go)
      signal?.addEventListener('abort', abort)
    })
  }

  async function enter(signal?: AbortSignal, onWait?: () => void): Promise<() => void> {
    signal?.throwIfAborted()
    if (free > 0) free--
    else {
      onWait?.()
      await wait(signal)
    }
    let isIn = true
    return () => {
      if (isIn) leave()
      isIn = false
    }
  }

  return {
    get waiting() {
      return queue.size
    },
    enter,
    async run(work) {
      const done = await enter()
      try {
        return await work()
      } finally {
        done()
      }
    },
  }
}
