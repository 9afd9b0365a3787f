/** Steps as deploy templates and runbooks hold them: how each is written and shown. */
import { maskSecrets } from '@appliance/ground/secret-words'
import { z } from 'zod'
import { InvalidParameterValue } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import { dict, integer, list, text } from '../schema.ts'
import { withSecretsKept } from './node/kept-secrets.ts'

/** @source Ironic conductor/steps.py DEPLOYING_INTERFACE_PRIORITY and CLEANING_INTERFACE_PRIORITY */
const INTERFACES = ['vendor', 'power', 'management', 'firmware', 'deploy', 'bios', 'raid'] as const

/** The members of a step that have to be there. */
export const STEP = {
  interface: z.enum(INTERFACES, `expected one of ${INTERFACES.join(', ')}`),
  step: text.min(1, 'expected the name of a step'),
}
export const stepArgs = dict
/** A priority, or a place in an order. */
export const place = integer.refine((value) => value >= 0, 'expected 0 or more')

/** Arguments may hold passwords. */
export const stepsField = <S extends z.ZodType>(step: S) => ({
  write: list(step).min(1, 'expected at least one step'),
  show: (value: unknown) => maskSecrets(value),
  keep: stepsKept,
  sortable: false as const,
})

type Named = { interface: string; step: string }
const nameOf = (step: Named) => `interface: ${step.interface}, step: ${step.step}`

/** A step that a client writes back as it was shown keeps its secrets, wherever it stands in the list by then. */
function stepsKept(before: unknown, given: unknown): unknown {
  const known = new Map(((before ?? []) as readonly Named[]).map((step) => [nameOf(step), step]))
  return (given as readonly Named[]).map((step) => withSecretsKept(known.get(nameOf(step)), step))
}

/** @source Ironic api/controllers/v1/utils.duplicate_steps, for runbooks too. @throws InvalidParameterValue */
export function checkedSteps(fields: Json): Json {
  const names = ((fields.steps ?? []) as readonly Named[]).map(nameOf)
  const twice = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
  if (twice.length === 0) return fields
  throw new InvalidParameterValue(
    'Deploy template invalid: Duplicate deploy steps. A template cannot have multiple deploy steps with the same ' +
      `interface and step. Duplicates: ${twice.join('; ')}.`,
  )
}
