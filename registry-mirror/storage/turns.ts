/** One at a time, for each key: what changes a repository or a blob's file waits for what does so already. */

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs `act` when all who came before it for this key have ended, however they ended. */
  async take<T>(key: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const mine = before.then(act)
    const settled = mine.catch(() => {})
    this.#last.set(key, settled)
    try {
      return await mine
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key)
    }
  }
}
