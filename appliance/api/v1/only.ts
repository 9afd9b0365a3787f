/** The fields asked for, of what is no record. */
import { InvalidParameterValue } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'

/** @throws InvalidParameterValue  a field that is none */
export function only(shown: Json, fields: readonly string[] | undefined): Json {
  if (!fields) return shown
  const wrong = fields.filter((name) => !(name in shown))
  if (wrong.length > 0) throw new InvalidParameterValue(`Field(s) "${wrong.join(', ')}" are not valid`)
  return Object.fromEntries(Object.entries(shown).filter(([name]) => fields.includes(name) || name === 'links'))
}
