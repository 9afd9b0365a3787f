/**
 * Records of one kind, kept by commits. Two tables: what is shown is durable; what changes build on is that and all changes
 * under way. So nobody sees a change that a full disk then takes back, and none of two changes at once is lost.
 */
import { Conflict, InvalidParameterValue, NotFound } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import { deepFreeze, frozenCopy } from './frozen.ts'
import type { Commits } from './storage/commits.ts'
import { type Document, isUuid } from './storage/document.ts'
import type { Secrets } from './storage/secrets.ts'
import type { Records } from './store.ts'
import { Table, type Unique } from './table.ts'
import { timestamp } from './timestamp.ts'

type Base = { uuid: string; created_at: string; updated_at: string | null }

export type Kind<R extends Base> = {
  /** Folder of its documents. */
  name: string
  /** As it begins a sentence: "Node ... could not be found." */
  noun: string
  uniques: readonly Unique<R>[]
  /** Fields that live in memory only, with their value after a start: never on the disk, changed without a wait. */
  volatile: Partial<R>
  /** Brings a field into its one spelling. */
  normalize?(record: R): R
  /** Called whenever what is shown changes. */
  onShown?(before: R | undefined, after: R | undefined): void
}

export type Backing = { commits(): Commits; secrets: Secrets; nextSeq(): number }

export class DurableRecords<R extends Base> implements Records<R> {
  readonly #kind: Kind<R>
  readonly #backing: Backing
  readonly #shown: Table<R>
  readonly #pending: Table<R>
  readonly #createdSeq = new Map<string, number>()

  constructor(kind: Kind<R>, backing: Backing) {
    this.#kind = kind
    this.#backing = backing
    this.#shown = new Table(kind.uniques)
    this.#pending = new Table(kind.uniques)
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
    return this.#shown.by(field, value)
  }

  notFound(ident: string): NotFound {
    return new NotFound(`${this.#kind.noun} ${ident} could not be found.`)
  }

  async create(given: R): Promise<R> {
    const copy = frozenCopy({ ...given, uuid: String(given.uuid).toLowerCase() })
    if (!isUuid(copy.uuid)) throw new InvalidParameterValue(`Expected a UUID but received ${given.uuid}.`)
    const record = this.#normal(copy)
    this.#refuseCollision(record)
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
    if (Object.keys(patch).every((field) => field in this.#kind.volatile))
      return this.#changeInMemory(record.uuid, patch)
    const stamp = options.quiet ? {} : { updated_at: timestamp() }
    const changed = this.#normal({ ...record, ...patch, ...stamp })
    this.#refuseCollision(changed)
    return this.#commit(changed)
  }

  async delete(uuid: string): Promise<void> {
    const record = this.#pending.get(uuid.toLowerCase())
    if (!record) throw this.notFound(uuid)
    const document = this.#document(record.uuid, null)
    this.#pending.remove(record.uuid)
    await this.#backing.commits().submit({
      document,
      apply: () => {
        this.#show(record.uuid, undefined)
        if (!this.#pending.get(record.uuid)) this.#createdSeq.delete(record.uuid)
      },
    })
  }

  /** At the start: a record as it lies on the disk. */
  load(document: Document, defaults: R): void {
    const plain = this.#backing.secrets.decrypt(document.record ?? {}, document) as R
    const record = deepFreeze({ ...defaults, ...plain, ...this.#kind.volatile })
    this.#createdSeq.set(record.uuid, document.created_seq)
    this.#pending.put(record)
    this.#show(record.uuid, record)
  }

  /** Forgets the changes under way. */
  takeBack(): void {
    this.#pending.become(this.#shown)
  }

  async #commit(record: R): Promise<R> {
    const document = this.#document(record.uuid, record)
    this.#pending.put(record)
    let shown = record
    await this.#backing.commits().submit({
      document,
      apply: () => {
        shown = this.#withVolatile(record)
        this.#show(record.uuid, shown)
      },
    })
    return shown
  }

  #document(uuid: string, record: R | null): Document {
    const seq = this.#backing.nextSeq()
    if (record && !this.#pending.get(uuid)) this.#createdSeq.set(uuid, seq)
    const identity = { kind: this.#kind.name, uuid }
    const kept = record && this.#backing.secrets.encrypt(this.#withoutVolatile(record), identity)
    return { seq, created_seq: this.#createdSeq.get(uuid) ?? seq, ...identity, record: kept }
  }

  #changeInMemory(uuid: string, patch: Partial<R>): R {
    const shown = this.#shown.get(uuid)
    const pending = this.#pending.get(uuid)
    if (pending) this.#pending.put(Object.freeze({ ...pending, ...patch }))
    if (!shown) return this.#pending.get(uuid) as R
    const changed = Object.freeze({ ...shown, ...patch })
    this.#show(uuid, changed)
    return changed
  }

  /** A volatile field may have changed while the record was on its way to the disk. */
  #withVolatile(record: R): R {
    const latest = this.#pending.get(record.uuid)
    if (!latest || latest === record) return record
    const fields = Object.keys(this.#kind.volatile).map((field) => [field, latest[field as keyof R]])
    return Object.freeze({ ...record, ...Object.fromEntries(fields) })
  }

  #withoutVolatile(record: R): Json {
    return Object.fromEntries(Object.entries(record).filter(([field]) => !(field in this.#kind.volatile)))
  }

  #show(uuid: string, record: R | undefined): void {
    const before = this.#shown.get(uuid)
    if (record) this.#shown.put(record)
    else this.#shown.remove(uuid)
    this.#kind.onShown?.(before, record)
  }

  #normal(record: R): R {
    return Object.freeze(this.#kind.normalize?.(record) ?? record)
  }

  #refuseCollision(record: R): void {
    const unique = this.#pending.collision(record)
    if (unique) throw new Conflict(unique.conflict(record))
  }
}
