/**
 * What actions of rules do, as data: a process apart tells them of what it was shown, and the conductor does the same
 * to the records themselves, which hold more.
 */
import { hasMembers } from '@appliance/ground/exact-number'
import type { Json } from '../../plugin-api/index.ts'

/** `extend` adds to a list, which is made when it is not there. */
export type Edit =
  | { op: 'set'; path: readonly string[]; value: unknown }
  | { op: 'extend'; path: readonly string[]; value: unknown; unique: boolean }
  | { op: 'delete'; path: readonly string[] }
/** Whose member the path's first part is. */
export type Target = { on: 'node' } | { on: 'plugin_data' } | { on: 'port'; port: string }
export type Effect =
  | (Target & { edit: Edit })
  | { on: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; message: string }

/** What the edit makes of the table; the table itself stays as it is. @throws Error  the path leads nowhere */
export function edited(table: Json, { path, ...edit }: Edit): Json {
  return at(table, path, (value) => {
    if (edit.op === 'set') return edit.value
    if (edit.op === 'delete') {
      if (value === undefined) throw new Error(`there is no ${path.join('/')}`)
      return undefined
    }
    const items = value ?? []
    if (!Array.isArray(items)) throw new Error(`${path.join('/')} is no list`)
    return edit.unique && items.some((item) => isSame(item, edit.value)) ? items : [...items, edit.value]
  })
}

function at(table: Json, [key = '', ...rest]: readonly string[], change: (value: unknown) => unknown): Json {
  if (key === '__proto__') throw new Error("'__proto__' is not accepted as a key")
  const value = Object.hasOwn(table, key) ? table[key] : undefined
  let made: unknown
  if (rest.length === 0) made = change(value)
  else if (value === undefined || isTable(value)) made = at(value ?? {}, rest, change)
  else throw new Error(`'${key}' is no object`)
  const { [key]: _, ...others } = table
  return made === undefined ? others : { ...table, [key]: made }
}

const isTable = (value: unknown): value is Json => hasMembers(value) && !Array.isArray(value)

/** As Python's ==: True is 1, tables in any order. */
export function isSame(a: unknown, b: unknown): boolean {
  const [left, right] = [plain(a), plain(b)]
  if (!hasMembers(left) || !hasMembers(right)) return left === right
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right)) return false
    return left.length === right.length && left.every((item, index) => isSame(item, right[index]))
  }
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && isSame((left as Json)[key], (right as Json)[key]))
  )
}

const plain = (value: unknown) => (typeof value === 'boolean' ? Number(value) : (value ?? null))
