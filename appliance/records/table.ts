/** Records of one kind in memory, found by uuid and by their unique fields. Knows nothing of disks or of what is allowed. */

export type Unique<R> = {
  field: string
  /** undefined or null: this record claims no value. */
  claimOf(record: R): string | null | undefined
  /** What a caller is told whose record claims the value of another. */
  conflict(record: R): string
}

export class Table<R extends { uuid: string }> {
  readonly #uniques: readonly Unique<R>[]
  readonly #records = new Map<string, R>()
  readonly #holders: ReadonlyMap<string, Map<string, string>>

  constructor(uniques: readonly Unique<R>[]) {
    this.#uniques = uniques
    this.#holders = new Map(uniques.map(({ field }) => [field, new Map()]))
  }

  get size(): number {
    return this.#records.size
  }

  get(uuid: string): R | undefined {
    return this.#records.get(uuid)
  }

  /** In order of insertion; a replaced record keeps its place. */
  all(): Iterable<R> {
    return this.#records.values()
  }

  by(field: string, value: string): R | undefined {
    const uuid = this.#holders.get(field)?.get(value)
    return uuid === undefined ? undefined : this.#records.get(uuid)
  }

  /** The unique field in which `record` collides with another one. */
  collision(record: R): Unique<R> | undefined {
    return this.#uniques.find(({ field, claimOf }) => {
      const value = claimOf(record)
      const holder = value === null || value === undefined ? undefined : this.by(field, value)
      return holder !== undefined && holder.uuid !== record.uuid
    })
  }

  put(record: R): void {
    const before = this.#records.get(record.uuid)
    if (before) this.#release(before)
    this.#records.set(record.uuid, record)
    for (const { field, claimOf } of this.#uniques) {
      const value = claimOf(record)
      if (value !== null && value !== undefined) this.#holders.get(field)?.set(value, record.uuid)
    }
  }

  remove(uuid: string): void {
    const record = this.#records.get(uuid)
    if (!record) return
    this.#release(record)
    this.#records.delete(uuid)
  }

  /** Becomes the same as `other`. */
  become(other: Table<R>): void {
    this.#records.clear()
    for (const holders of this.#holders.values()) holders.clear()
    for (const record of other.all()) this.put(record)
  }

  #release(record: R): void {
    for (const { field, claimOf } of this.#uniques) {
      const value = claimOf(record)
      const holders = this.#holders.get(field)
      if (value !== null && value !== undefined && holders?.get(value) === record.uuid) holders.delete(value)
    }
  }
}
