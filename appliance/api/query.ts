/** Query parameters: one value each, none that nobody knows. */
import type { z } from 'zod'
import { InvalidParameterValue } from '../errors.ts'
import { requireMinor } from './microversions.ts'
import type { Call } from './parts.ts'
import { parse } from './schema.ts'

export type Parameter<T = unknown> = { schema: z.ZodType<T>; since?: number }
export type Parameters = Readonly<Record<string, Parameter>>
export type ValuesOf<P extends Parameters> = { [K in keyof P]?: z.output<P[K]['schema']> }

/** @throws InvalidParameterValue, NotAcceptable (a parameter of a later version) */
export function readQuery<P extends Parameters>(call: Call, parameters: P): ValuesOf<P> {
  const values: Record<string, unknown> = {}
  for (const [name, given] of Object.entries(call.req.queries())) {
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    if (!parameter) throw new InvalidParameterValue(`Unexpected arguments: ${name}`)
    const value = theOne(name, given)
    requireMinor(call.get('minor'), parameter.since ?? 0)
    values[name] = parse(parameter.schema, value, name)
  }
  return values as ValuesOf<P>
}

/** What nobody has looked at yet. @throws InvalidParameterValue */
export const rawQuery = (call: Call): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(call.req.queries()).map(([name, given]) => [name, theOne(name, given)]))

function theOne(name: string, [value = '', ...more]: readonly string[]): string {
  if (more.length > 0) throw new InvalidParameterValue(`Expected one value for ${name}, and found ${more.length + 1}`)
  return value
}
