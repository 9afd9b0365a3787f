/** JSON's objects: names and values. */
import type { Json } from './plugin-api/index.ts'

export const isTable = (value: unknown): value is Json =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
