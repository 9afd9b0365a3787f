/** JSON's objects: names and values. */
import { hasMembers } from './exact-number.ts'
import type { Json } from './plugin-api/index.ts'

export const isTable = (value: unknown): value is Json => hasMembers(value) && !Array.isArray(value)
