/**
 * A cache of the values that were read last, up to a weight. Callers that ask during a read share it. Misses are not
 * cached.
 */

type Limits<V> = { limit: number; weigh(value: V): number }

export class Cache<V> {
  readonly #limits: Limits<V>
  readonly #kept = new Map<string, V>()
  readonly #loading = new Map<string, Promise<V | undefined>>()
  #weight = 0

  constructor(limits: Limits<V>) {
    this.#limits = limits
  }

  async get(key: string, load: () => Promise<V | undefined>): Promise<V | undefined> {
    const kept = this.#kept.get(key)
    if (kept !== undefined) {
      // The last one used stands last.
      this.#kept.delete(key)
      this.#kept.set(key, kept)
      return kept
    }
    return this.#loading.get(key) ?? this.#load(key, load)
  }

  /** Called after each change, before the change is acknowledged. The result of a concurrent read is not cached. */
  forget(key: string): void {
    this.#loading.delete(key)
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    this.#weight -= this.#limits.weigh(kept)
  }

  #load(key: string, load: () => Promise<V | undefined>): Promise<V | undefined> {
    const loading = load().then(
      (value) => {
        if (this.#loading.get(key) !== loading) return value
        this.#loading.delete(key)
        if (value !== undefined) this.#keep(key, value)
        return value
      },
      (error: unknown) => {
        if (this.#loading.get(key) === loading) this.#loading.delete(key)
        throw error
      },
    )
    this.#loading.set(key, loading)
    return loading
  }

  #keep(key: string, value: V): void {
    this.#kept.set(key, value)
    this.#weight += this.#limits.weigh(value)
    for (const [oldest] of this.#kept) {
      if (this.#weight <= this.#limits.limit) return
      this.forget(oldest)
    }
  }
}
