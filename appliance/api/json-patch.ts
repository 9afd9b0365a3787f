/**
 * JSON Patch (RFC 6902: add, replace, remove) with the habits of Ironic's clients. Works on a copy; knows no resource.
 */

import { hasMembers } from '@appliance/ground/exact-number'
import { z } from 'zod'
import { InvalidParameterValue } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import { list, text } from './schema.ts'

const OPERATIONS_LIMIT = 1000
/** Characters. */
const PATH_LIMIT = 4096

export const patchSchema = list(
  z.strictObject({
    op: z.enum(['add', 'replace', 'remove'], "expected 'add', 'replace' or 'remove'"),
    path: text
      .max(PATH_LIMIT, { abort: true, error: `expected at most ${PATH_LIMIT} characters` })
      .regex(/^(\/[^/]+)+$/, "expected a path like '/driver_info/ipmi_address'"),
    value: z.unknown().optional(),
  }),
).max(OPERATIONS_LIMIT, `expected at most ${OPERATIONS_LIMIT} operations`)
export type Patch = z.output<typeof patchSchema>
type Operation = Patch[number]

/** RFC 6901 section 4 */
const segments = (path: string): string[] =>
  path
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))

export const pathOf = (operation: Operation): readonly string[] => segments(operation.path)
export const rootOf = (operation: Operation): string => pathOf(operation)[0] ?? ''

/** Whether the patch gives this path a value. */
export const givenValues = (patch: Patch, path: string): unknown[] =>
  patch.filter((operation) => operation.path === path && operation.op !== 'remove').map(({ value }) => value)

/** @param document  its top level holds every field that may be patched. @throws InvalidParameterValue */
export function applyPatch(document: Json, patch: Patch): Json {
  const copy = copyOf(document) as Json
  for (const operation of patch) {
    const reason = applyOne(copy, operation)
    // The value is left out: it may be a secret.
    if (reason !== undefined) {
      const { op, path } = operation
      throw new InvalidParameterValue(`Couldn't apply patch '{'op': '${op}', 'path': '${path}'}'. Reason: ${reason}`)
    }
  }
  return copy
}

function applyOne(document: Json, { op, path, value }: Operation): string | undefined {
  const way = segments(path)
  const key = way.pop() ?? ''
  if (key === '__proto__' || way.includes('__proto__')) return "'__proto__' is not accepted as a key"
  if (op !== 'remove' && value === undefined) return "the operation does not contain a 'value' member"
  let parent: unknown = document
  for (const segment of way) {
    const next = memberOf(parent, segment)
    if (next === undefined) return `member '${segment}' not found`
    parent = next
  }
  const isThere = memberOf(parent, key) !== undefined
  if (op === 'remove' && !isThere) return `can't remove a non-existent object '${key}'`
  if (op === 'replace' && !isThere) return `can't replace a non-existent object '${key}'`
  if (Array.isArray(parent)) return changeList(parent, key, { op, value })
  if (!hasMembers(parent)) return `'${way.join('/')}' holds no members`
  const isRoot = parent === document
  // Clients unset a key by adding null; on the top level null is what an empty field is.
  if (op === 'remove' || (op === 'add' && value === null && !isRoot)) delete (parent as Json)[key]
  else (parent as Json)[key] = copyOf(value)
  if (isRoot && (parent as Json)[key] === undefined) (parent as Json)[key] = null
  return undefined
}

function changeList(items: unknown[], key: string, { op, value }: { op: string; value: unknown }): string | undefined {
  const index = key === '-' && op === 'add' ? items.length : /^(0|[1-9]\d{0,5})$/.test(key) ? Number(key) : -1
  if (index < 0 || index > items.length) return `'${key}' is no place in a list of ${items.length}`
  if (op === 'add') items.splice(index, 0, value)
  else if (op === 'replace') items[index] = value
  else items.splice(index, 1)
  return undefined
}

/** Numbers are never changed, so they may be shared. */
function copyOf(value: unknown): unknown {
  if (!hasMembers(value)) return value
  if (Array.isArray(value)) return value.map(copyOf)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item)]))
}

function memberOf(parent: unknown, key: string): unknown {
  if (!hasMembers(parent) || !Object.hasOwn(parent, key)) return undefined
  return (parent as Json)[key]
}
