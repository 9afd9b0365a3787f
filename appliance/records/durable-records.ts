/**
 * Records of one kind, kept by commits. Two tables: what is shown is durable; what changes build on is that and all
 * changes under way. So nobody sees a change that a full disk then takes back, and none of two changes at once is lost.
 */
import { Conflict, InvalidParameterValue, NotFound } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import { deepFreeze, frozenCopy } from './frozen.ts'
import { type Base, type Kind, newRecord } from './kind.ts'
import type { Commits } from './storage/commits.ts'
import { type Document, isUuid } from './storage/document.ts'
import type { Secrets } from './storage/secrets.ts'
import type { Records } from './store.ts'
import { Table } from './table.ts'
import { timestamp } from './timestamp.ts'

export type Backing = {
  commits(): Commits
  secrets: Secrets
  nextSeq(): number
  /** The records of another kind. */
  records(kind: string): DurableRecords<Base>
  /** Those of all kinds. */
  all(): Iterable<DurableRecords<Base>>
}

export class DurableRecords<R extends Base> implements Records<R> {
  /** Folder of its documents. */
  readonly #name: string
  readonly #kind: Kind<R>
  readonly #volatile: Partial<R>
  readonly #backing: Backing
  readonly #shown: Table<R>
  readonly #pending: Table<R>
  readonly #createdSeq = new Map<string, number>()

  constructor(name: string, kind: Kind<R>, backing: Backing) {
    const made = Object.fromEntries(Object.entries(kind.unique).map(([name, { of }]) => [name, of]))
    const found = { unique: Object.keys(kind.unique), indexes: kind.indexes ?? [], made }
    this.#name = name
    this.#kind = kind
    this.#volatile = kind.volatile ?? {}
    this.#backing = backing
    this.#shown = new Table(found)
    this.#pending = new Table(found)
  }

  get size(): number {
    return this.#shown.size
  }

  get(uuid: string): R | undefined {
    return this.#shown.get(uuid) ?? this.#shown.get(uuid.toLowerCase())
  }

  all(): Iterable<R> {
    return this.#shown.all()
  }

  by(field: string, value: string): R | undefined {
    return this.#shown.by(field, this.#spelled({ [field]: value })[field] ?? value)
  }

  where(field: string, value: string): readonly R[] {
    return this.#shown.where(field, this.#spelled({ [field]: value })[field] ?? value)
  }

  find(ident: string): R {
    const record = isUuid(ident.toLowerCase()) ? this.get(ident) : this.by('name', ident)
    if (!record) throw this.notFound(ident)
    return record
  }

  notFound(ident: string): NotFound {
    return new NotFound(`${this.#kind.noun} ${ident} could not be found.`)
  }

  draft(fields: Partial<R>): R {
    return newRecord(this.#kind, fields)
  }

  async create(given: R): Promise<R> {
    const copy = frozenCopy({ ...given, uuid: String(given.uuid).toLowerCase() })
    if (!isUuid(copy.uuid)) throw new InvalidParameterValue(`Expected a UUID but received ${given.uuid}.`)
    const record = Object.freeze(this.#spelled(copy))
    this.#checkFits(record)
    if (this.#pending.get(record.uuid)) {
      throw new Conflict(`A ${this.#kind.noun.toLowerCase()} with UUID ${record.uuid} already exists.`)
    }
    return this.#commit(record)
  }

  async update(
    uuid: string,
    change: Partial<R> | ((record: R) => Partial<R>),
    options: { quiet?: boolean } = {},
  ): Promise<R> {
    const record = this.#pending.get(uuid.toLowerCase())
    if (!record) throw this.notFound(uuid)
    const patch = frozenCopy(typeof change === 'function' ? change(record) : change)
    if ('uuid' in patch && patch.uuid !== record.uuid) {
      throw new InvalidParameterValue(`Cannot overwrite UUID for an existing ${this.#kind.noun}.`)
    }
    if (Object.keys(patch).every((field) => field in this.#volatile)) return this.#changeInMemory(record.uuid, patch)
    const stamp = options.quiet ? {} : { updated_at: timestamp() }
    const changed = Object.freeze(this.#spelled({ ...record, ...patch, ...stamp }))
    this.#checkFits(changed, record)
    return this.#commit(changed)
  }

  async delete(uuid: string): Promise<void> {
    const record = this.#pending.get(uuid.toLowerCase())
    if (!record) throw this.notFound(uuid)
    this.#checkEmpty(record)
    // All in one turn, so that they become durable together and none can be created in between; the owner last.
    await Promise.all(this.#deleteWithOwned(record.uuid))
  }

  /** At the start: a record as it lies on the disk. @returns whether secrets lie there in plain */
  load(document: Document): boolean {
    let hasPlain = false
    const plain = this.#backing.secrets.decrypt(document.record ?? {}, document, () => {
      hasPlain = true
    })
    const record = deepFreeze({ ...this.#kind.defaults, ...plain, ...this.#volatile } as R)
    this.#createdSeq.set(record.uuid, document.created_seq)
    this.#pending.put(record)
    this.#shown.put(record)
    return hasPlain
  }

  /** Forgets the changes under way. */
  takeBack(): void {
    this.#pending.become(this.#shown)
  }

  #deleteWithOwned(uuid: string): Promise<void>[] {
    const owned = [...this.#backing.all()].flatMap((records) => {
      const { owner } = records.#kind
      const found = owner?.kind === this.#name ? records.#pending.where(owner.field, uuid) : []
      return found.flatMap((record) => records.#deleteWithOwned(record.uuid))
    })
    return [...owned, this.#deleteOne(uuid)]
  }

  #deleteOne(uuid: string): Promise<void> {
    const document = this.#document(uuid, null)
    this.#pending.remove(uuid)
    return this.#backing.commits().submit({
      document,
      apply: () => {
        this.#shown.remove(uuid)
        if (!this.#pending.get(uuid)) this.#createdSeq.delete(uuid)
      },
    })
  }

  async #commit(record: R): Promise<R> {
    const document = this.#document(record.uuid, record)
    this.#pending.put(record)
    let shown = record
    await this.#backing.commits().submit({
      document,
      apply: () => {
        shown = this.#withVolatile(record)
        this.#shown.put(shown)
      },
    })
    return shown
  }

  #document(uuid: string, record: R | null): Document {
    const seq = this.#backing.nextSeq()
    if (record && !this.#pending.get(uuid)) this.#createdSeq.set(uuid, seq)
    const identity = { kind: this.#name, uuid }
    const kept = record && this.#backing.secrets.encrypt(this.#withoutVolatile(record), identity)
    return { seq, created_seq: this.#createdSeq.get(uuid) ?? seq, ...identity, record: kept }
  }

  #changeInMemory(uuid: string, patch: Partial<R>): R {
    const shown = this.#shown.get(uuid)
    const pending = this.#pending.get(uuid)
    if (pending) this.#pending.put(Object.freeze({ ...pending, ...patch }))
    if (!shown) return this.#pending.get(uuid) as R
    const changed = Object.freeze({ ...shown, ...patch })
    this.#shown.put(changed)
    return changed
  }

  /** A volatile field may have changed while the record was on its way to the disk. */
  #withVolatile(record: R): R {
    const latest = this.#pending.get(record.uuid)
    if (!latest || latest === record) return record
    const fields = Object.keys(this.#volatile).map((field) => [field, latest[field as keyof R]])
    return Object.freeze({ ...record, ...Object.fromEntries(fields) })
  }

  #withoutVolatile(record: R): Json {
    return Object.fromEntries(Object.entries(record).filter(([field]) => !(field in this.#volatile)))
  }

  #spelled<T extends object>(fields: T): T {
    let spelled = fields
    for (const [field, spell] of Object.entries(this.#kind.spelling ?? {})) {
      const value = (fields as Record<string, unknown>)[field]
      if (typeof value === 'string') spelled = { ...spelled, [field]: (spell as (text: string) => string)(value) }
    }
    return spelled
  }

  /** @throws Conflict, InvalidParameterValue */
  #checkFits(record: R, before?: R): void {
    const field = this.#pending.collision(record)
    if (field !== undefined) throw new Conflict(this.#kind.unique[field]?.conflict(record))
    const { owner, groups = [] } = this.#kind
    for (const named of owner ? [owner, ...groups] : groups) {
      const uuid = record[named.field as keyof R]
      if (uuid === before?.[named.field as keyof R] || (uuid === null && (named !== owner || owner.isOptional)))
        continue
      const others = this.#backing.records(named.kind)
      if (!others.#pending.get(String(uuid))) {
        throw new InvalidParameterValue(`${others.#kind.noun} ${uuid} could not be found.`)
      }
    }
  }

  /** @throws InvalidParameterValue. @source Ironic ChassisNotEmpty, PortgroupNotEmpty */
  #checkEmpty({ uuid }: R): void {
    for (const members of this.#backing.all()) {
      const group = members.#kind.groups?.find(({ kind }) => kind === this.#name)
      if (!group || members.#pending.where(group.field, uuid).length === 0) continue
      throw new InvalidParameterValue(
        `Cannot complete the requested action because ${this.#kind.noun.toLowerCase()} ${uuid} contains ${members.#name}.`,
      )
    }
  }
}
