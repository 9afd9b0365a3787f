/** The row of /v1/inspection_rules. What a rule does to an inspected node is the conductor's (inspect-rules). */
import { maskSecrets } from '@appliance/ground/secret-words'
import { z } from 'zod'
import { ACTION_NAMES, CONDITION_NAMES, checkRule } from '../../conductor/inspect-rules/check-rule.ts'
import { InvalidParameterValue } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { InspectionRule, RuleAction, RuleCondition } from '../../records/kinds/inspection-rule.ts'
import { filter } from '../collection.ts'
import { type Field, type Fields, RECORD_FIELDS, switchField } from '../fields.ts'
import { type Patch, rootOf } from '../json-patch.ts'
import type { ApiParts } from '../parts.ts'
import type { Resource } from '../resource.ts'
import { dict, flag, integer, limitedText, list, text } from '../schema.ts'
import { withSecretsKept } from './node/kept-secrets.ts'

const several = z.union([list(z.unknown()), dict], 'expected a list or an object')
const operation = (names: readonly string[]) => ({
  op: z.enum(names as [string, ...string[]], `expected one of ${names.join(', ')}`),
  args: several,
  loop: several.optional(),
})
const MULTIPLE = ['any', 'all', 'first', 'last'] as const
const condition = z
  .object(
    {
      ...operation(CONDITION_NAMES),
      multiple: z.enum(MULTIPLE, `expected one of ${MULTIPLE.join(', ')}`).optional(),
    },
    'expected an object',
  )
  .transform(({ multiple = 'any', ...rest }): RuleCondition => (rest.loop ? { ...rest, multiple } : rest))
const action = z.object(operation(ACTION_NAMES), 'expected an object').transform((given): RuleAction => given)

/** @source Ironic common/inspection_rules/validation.py */
const priority = integer
  .refine((value) => value >= 0, 'Priority cannot be negative for user-defined rules.')
  .refine((value) => value <= 9999, 'Priority must be between 0 and 9999 for user-defined rules.')

/** A sensitive rule does not show what it does; the others show it without secrets. */
const hidden = (read: (rule: InspectionRule) => unknown, write: z.ZodType): Field<InspectionRule> => ({
  read: (rule) => (rule.sensitive ? null : read(rule)),
  ...{ write, show: (value) => maskSecrets(value), keep: withSecretsKept, none: [], sortable: false },
})

/** @source Ironic api/schemas/v1/inspection_rule.py */
const FIELDS: Fields<InspectionRule> = {
  ...RECORD_FIELDS,
  description: { write: limitedText(255).nullable() },
  priority: { write: priority, none: 0 },
  phase: {
    write: limitedText(16)
      .nullable()
      .transform((value) => value ?? 'main'),
    none: 'main',
  },
  sensitive: switchField(false),
  conditions: hidden(
    (rule) => rule.conditions_secret,
    // The `baremetal` client says null for none.
    list(condition)
      .nullable()
      .transform((value) => value ?? []),
  ),
  actions: hidden((rule) => rule.actions_secret, list(action).min(1, 'expected at least one action')),
}

export const inspectionRuleResource = ({ store }: ApiParts): Resource<InspectionRule> => ({
  refusedBefore: { what: 'inspection rules', allow: ['GET'] },
  ...{ name: 'inspection_rules', noun: 'Rule', since: 96, records: store.inspection_rules, deletesAll: true },
  fields: FIELDS,
  defaults: ['uuid', 'priority', 'phase', 'description'],
  marker: text,
  filters: { phase: filter(text, (rule, wanted) => rule.phase === wanted) },
  create: { required: ['actions'], draft: (given) => checked(store.inspection_rules.draft({}), given) },
  patch: {
    checkRecord: checkStaysSensitive,
    change: checked,
  },
})

function checked(rule: InspectionRule, { conditions, actions, ...fields }: Json): Partial<InspectionRule> {
  const change: Partial<InspectionRule> = {
    ...fields,
    ...(conditions === undefined ? {} : { conditions_secret: conditions as readonly RuleCondition[] }),
    ...(actions === undefined ? {} : { actions_secret: actions as readonly RuleAction[] }),
  }
  checkRule({ ...rule, ...change })
  return change
}

/** Who may not see what a rule does shall not come to see it by a patch. */
function checkStaysSensitive(rule: InspectionRule, patch: Patch): void {
  const unset = patch.find((each) => rootOf(each) === 'sensitive' && flag.safeParse(each.value).data !== true)
  if (!rule.sensitive || !unset) return
  throw new InvalidParameterValue(
    `Couldn't apply patch '{'op': '${unset.op}', 'path': '${unset.path}'}'. Reason: Inspection rules cannot have the sensitive flag unset.`,
  )
}
