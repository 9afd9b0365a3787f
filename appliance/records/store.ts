/**
 * What the rest of the appliance knows of storage. open-store.ts keeps it on lowdb; another engine may stand behind it.
 */
import type { NotFound } from '../errors.ts'
import type { Base, Kind, Kinds } from './kind.ts'
import type { KINDS } from './kinds.ts'

/**
 * Records of one kind, whole in memory. What `get` and `all` give is durable and frozen: change it by `update` only. A
 * write that rejects with InsufficientStorage (disk full) or another ApplianceError has changed nothing, here or on the
 * disk.
 */
export type Records<R extends Base, U extends string = string, I extends string = string> = {
  readonly size: number
  get(uuid: string): R | undefined
  /** In order of creation. */
  all(): Iterable<R>
  /** The one that has this value in a unique field. */
  by(field: U, value: string): R | undefined
  /** All that have this value in an indexed field, in order of creation. */
  where(field: I, value: string): readonly R[]
  /** By uuid, or by name when it is none and records of this kind have unique names. @throws NotFound */
  find(ident: string): R
  notFound(ident: string): NotFound
  /** A record of which only these fields are known, for `create`. */
  draft(fields: Partial<R>): R
  /**
   * Resolves when durable.
   * @throws Conflict (uuid or unique field taken), InvalidParameterValue (an owner or group that is not there)
   */
  create(record: R): Promise<R>
  /**
   * Applies `change` to the record as it is now, changes still under way included, in one turn of the event loop;
   * resolves when durable. Sets updated_at unless `quiet`. A change of nothing but volatile fields shows at once and is
   * never durable.
   * @throws NotFound, Conflict (unique fields), InvalidParameterValue (an owner or group that is not there)
   */
  update(uuid: string, change: Partial<R> | ((record: R) => Partial<R>), options?: { quiet?: boolean }): Promise<R>
  /**
   * With all records that it owns. Resolves when durable.
   * @throws NotFound, InvalidParameterValue (it is a group with members)
   */
  delete(uuid: string): Promise<void>
}

type RecordsOf<K> = K extends Kind<infer R, infer U, infer I> ? Records<R, U, I> : never
/** The records of every kind of a table, by the kind's name. */
export type StoreOf<K extends Kinds> = { readonly [N in keyof K]: RecordsOf<K[N]> } & {
  /** What happened while opening: generations taken back, journal ends dropped. Also logged. */
  readonly repairs: readonly string[]
  /** Waits for writes under way, and releases state_path. */
  close(): Promise<void>
}
export type Store = StoreOf<typeof KINDS>
