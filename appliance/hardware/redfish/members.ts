/**
 * Reads members of what a BMC answered. Names are looked for as they are, and else whatever their case: some firmwares
 * write `Odata.id` or `target` otherwise than the schema does. What has another type than was asked for is not there.
 */
import type { Json } from '../../plugin-api/index.ts'

export const isTable = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function memberAt(body: unknown, ...path: readonly string[]): unknown {
  let at: unknown = body
  for (const name of path) {
    if (!isTable(at)) return undefined
    const table = at
    const key = Object.hasOwn(table, name) ? name : Object.keys(table).find((each) => isSameName(each, name))
    at = key === undefined ? undefined : table[key]
  }
  return at
}

const isSameName = (one: string, other: string) =>
  one.length === other.length && one.toLowerCase() === other.toLowerCase()

export function textAt(body: unknown, ...path: readonly string[]): string | undefined {
  const found = memberAt(body, ...path)
  return typeof found === 'string' && found !== '' ? found : undefined
}

export function numberAt(body: unknown, ...path: readonly string[]): number | undefined {
  const found = memberAt(body, ...path)
  const number = typeof found === 'string' && found.trim() !== '' ? Number(found) : found
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

export function listAt(body: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = memberAt(body, ...path)
  // One that is alone may stand without its list.
  if (isTable(found)) return [found]
  return Array.isArray(found) ? found : []
}

export const tableAt = (body: unknown, ...path: readonly string[]): Json => {
  const found = memberAt(body, ...path)
  return isTable(found) ? found : {}
}

/** The texts of a list; others in it are left out. */
export const textsAt = (body: unknown, ...path: readonly string[]): readonly string[] =>
  listAt(body, ...path).filter((each) => typeof each === 'string')

/** Where a member links to: `{"@odata.id": PATH}`, or a path as it is. */
export function linkAt(body: unknown, ...path: readonly string[]): string | undefined {
  const found = memberAt(body, ...path)
  return typeof found === 'string' && found !== '' ? found : textAt(found, '@odata.id')
}

export const linksAt = (body: unknown, ...path: readonly string[]): readonly string[] =>
  listAt(body, ...path)
    .map((each) => linkAt({ each }, 'each'))
    .filter((each) => each !== undefined)
