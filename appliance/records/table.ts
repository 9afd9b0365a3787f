/**
 * Records of one kind in memory, found by uuid, by unique and by indexed fields. Knows nothing of disks or of what is
 * allowed.
 */

type Made<R> = Readonly<Record<string, ((record: R) => string) | undefined>>

const NONE: readonly string[] = Object.freeze([])

export class Table<R extends { uuid: string }> {
  readonly #records = new Map<string, R>()
  /** By field, by value: the uuid of the one record that has it. */
  readonly #holders: ReadonlyMap<string, Map<string, string>>
  /** By field, by value: the uuids of all records that have it. */
  readonly #members: ReadonlyMap<string, Map<string, readonly string[]>>

  readonly #made: Made<R>

  /** @param o.made  values of unique fields that are made of others */
  constructor(o: { unique: readonly string[]; indexes: readonly string[]; made?: Made<R> }) {
    const { unique, indexes, made = {} } = o
    this.#made = made
    this.#holders = new Map(unique.map((field) => [field, new Map()]))
    this.#members = new Map(indexes.map((field) => [field, new Map()]))
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

  /** In order of insertion. */
  where(field: string, value: string): readonly R[] {
    return (this.#members.get(field)?.get(value) ?? NONE).flatMap((uuid) => this.#records.get(uuid) ?? [])
  }

  /** The unique field in which `record` collides with another one. */
  collision(record: R): string | undefined {
    for (const field of this.#holders.keys()) {
      const value = this.#claim(record, field)
      const holder = value === undefined ? undefined : this.by(field, value)
      if (holder && holder.uuid !== record.uuid) return field
    }
    return undefined
  }

  put(record: R): void {
    const before = this.#records.get(record.uuid)
    this.#records.set(record.uuid, record)
    this.#enter(before, record)
  }

  remove(uuid: string): void {
    const record = this.#records.get(uuid)
    if (!record) return
    this.#records.delete(uuid)
    this.#enter(record, undefined)
  }

  /** Becomes the same as `other`. */
  become(other: Table<R>): void {
    this.#records.clear()
    for (const values of [...this.#holders.values(), ...this.#members.values()]) values.clear()
    for (const record of other.all()) this.put(record)
  }

  #claim(record: R | undefined, field: string): string | undefined {
    const made = this.#made[field]
    return made && record ? made(record) : claim(record, field)
  }

  #enter(before: R | undefined, after: R | undefined): void {
    const uuid = (after ?? before)?.uuid ?? ''
    for (const [field, holders] of this.#holders) {
      const [was, is] = [this.#claim(before, field), this.#claim(after, field)]
      if (was !== undefined && was !== is && holders.get(was) === uuid) holders.delete(was)
      if (is !== undefined) holders.set(is, uuid)
    }
    for (const [field, members] of this.#members) {
      const [was, is] = [claim(before, field), claim(after, field)]
      if (was === is) continue
      if (was !== undefined) leave(members, was, uuid)
      if (is !== undefined) members.set(is, [...(members.get(is) ?? NONE), uuid])
    }
  }
}

function leave(members: Map<string, readonly string[]>, value: string, uuid: string): void {
  const rest = (members.get(value) ?? NONE).filter((member) => member !== uuid)
  if (rest.length > 0) members.set(value, rest)
  else members.delete(value)
}

/** undefined: this record claims no value. */
function claim(record: object | undefined, field: string): string | undefined {
  const value = (record as Readonly<Record<string, unknown>> | undefined)?.[field]
  return typeof value === 'string' ? value : undefined
}
