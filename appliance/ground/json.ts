/** What JSON calls an object: names and values. */
import { hasMembers } from './exact-number.ts'

export type JsonObject = Record<string, unknown>

export const isObject = (value: unknown): value is JsonObject => hasMembers(value) && !Array.isArray(value)
