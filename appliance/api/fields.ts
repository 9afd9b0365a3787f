/**
 * The language of the field tables: what of a record is told, since which microversion, and what may be written. Knows
 * no resource.
 */
import type { z } from 'zod'
import { InvalidParameterValue, NotAcceptable } from '../errors.ts'
import { flag, uuid } from './schema.ts'

export type Field<R> = {
  /** Minor version that brought it. */
  since?: number
  /** As the record holds it; its field of the same name when left out. */
  read?(record: R): unknown
  /** As it is told, where that differs: masked, or in the words of an older version. */
  show?(value: unknown, minor: number): unknown
  /** What may be written; nothing when left out. */
  write?: z.ZodType
  /** When it may be written, if not both at creation and later. */
  on?: 'create' | 'patch'
  /** What it is when removed; null when left out. */
  none?: unknown
  sortable?: false
  /** Told of a patch that sets it, which is done in another way. */
  notByPatch?: string
  /** What a patch's value stands for, where the client may have been shown another one than there was. */
  keep?(before: unknown, given: unknown): unknown
}
export type Fields<R> = Readonly<Record<string, Field<R>>>

/** What every record has. */
export const RECORD_FIELDS = {
  uuid: { write: uuid.nullable(), on: 'create' },
  created_at: {},
  updated_at: {},
} as const satisfies Fields<never>

/** A field that is a table; removed, or set to null, it is empty. */
export const objectField = <S extends z.ZodType>(table: S) => ({
  write: table.nullable().transform((value) => value ?? {}),
  none: {},
  sortable: false as const,
})

/** A boolean; removed, or set to null, it is `none`. */
export const switchField = (none: boolean) => ({
  write: flag.nullable().transform((value) => value ?? none),
  none,
})

export function fieldOf<R>(fields: Fields<R>, name: string): Field<R> | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined
}

export function fieldValue<R extends object>(fields: Fields<R>, record: R, name: string): unknown {
  const read = fields[name]?.read
  return (read ? read(record) : (record as Record<string, unknown>)[name]) ?? null
}

export const isServed = (field: Field<never>, minor: number): boolean => minor >= (field.since ?? 0)

export const namesServed = <R>(fields: Fields<R>, minor: number): string[] =>
  Object.keys(fields).filter((name) => isServed(fields[name] ?? {}, minor))

export const writableNames = <R>(fields: Fields<R>, on: 'create' | 'patch'): string[] =>
  Object.keys(fields).filter((name) => fields[name]?.write && (fields[name].on ?? on) === on)

/** @throws InvalidParameterValue (no such field), NotAcceptable (not yet in this version) */
export function checkAsked<R>(fields: Fields<R>, names: readonly string[], minor: number): void {
  for (const name of names) {
    const field = fieldOf(fields, name)
    if (!field) throw new InvalidParameterValue(`Field ${name} is not a valid field.`)
    if (!isServed(field, minor)) throw fieldTooNew(name, field)
  }
}

/** @throws NotAcceptable */
export function checkWritten<R>(fields: Fields<R>, names: readonly string[], minor: number): void {
  for (const name of names) {
    const field = fieldOf(fields, name)
    if (field && !isServed(field, minor)) throw fieldTooNew(name, field)
  }
}

const fieldTooNew = (name: string, field: Field<never>) =>
  new NotAcceptable(
    `Request not acceptable. The minimal required API version for the field ${name} should be 1.${field.since}`,
  )
