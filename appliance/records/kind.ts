/**
 * What a kind of records is: a row of the table in kinds.ts, and all that the store has to be told of it. Knows no
 * kind.
 */
import { randomUUID } from 'node:crypto'
import { timestamp } from './timestamp.ts'

/** What every record has. */
export type Base = { uuid: string; created_at: string; updated_at: string | null }

/**
 * `U`: what is unique, a field or made of several; `I`: the other fields by which records are found. Fields of both
 * hold a string, or null for no value.
 */
export type Kind<R extends Base, U extends string = string, I extends string = string> = {
  /** As it begins a sentence: "Node ... could not be found." */
  noun: string
  /** What a field is that a new record, or a document of an older version, does not have. */
  defaults: Partial<R>
  /** Of a record whose value is taken, `conflict` says so. `of`: the value, where it is not a field of that name. */
  unique: Readonly<Record<U, { of?(record: R): string; conflict(record: R): string }>>
  indexes?: readonly I[]
  /** Fields that live in memory only, with their value after a start: never on the disk, changed without a wait. */
  volatile?: Partial<R>
  /** Brings fields into their one spelling, in records and in what they are looked up by. */
  spelling?: { readonly [F in keyof R]?: (value: R[F]) => R[F] }
  /**
   * The record without which this one is nothing: it has to be there at a creation, and its deletion takes this one
   * with it. `isOptional`: there are records of this kind that have none.
   */
  owner?: { kind: string; field: I; isOptional?: true }
  /** Records that hold this one together with others: each has to be there, and is not deleted before its members. */
  groups?: readonly { kind: string; field: I }[]
}
export type Kinds = Readonly<Record<string, Kind<Base>>>

/** A record of which only these fields are known. */
export const newRecord = <R extends Base>({ defaults }: Pick<Kind<R>, 'defaults'>, fields: Partial<R>): R =>
  ({ uuid: randomUUID(), created_at: timestamp(), updated_at: null, ...defaults, ...fields }) as R
