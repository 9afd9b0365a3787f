/** The deploy steps that a node takes on by traits: those of the deploy templates that its instance asks for. */
import { InvalidParameterValue } from '../../errors.ts'
import type { DeployTemplate } from '../../records/kinds/deploy-template.ts'
import type { AskedStep } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import { keyOf } from './plan.ts'

/**
 * Of all templates whose names are among instance_info/traits.
 * @param check  whether the node's procedure has the steps, or may have: throws what is wrong with them
 * @source Ironic conductor/steps.py _get_validated_steps_from_templates
 * @throws InvalidParameterValue  in Ironic's words
 */
export function templateSteps(
  { store }: Pick<Parts, 'store'>,
  node: Node,
  check: (steps: readonly AskedStep[]) => void = () => {},
): readonly AskedStep[] {
  const templates = instanceTraits(node).flatMap((trait) => store.deploy_templates.by('name', trait) ?? [])
  const steps = templates.flatMap((template) => template.steps)
  const keys = steps.map(keyOf)
  const twice = [...new Set(keys.filter((key, index) => keys.indexOf(key) !== index))]
  if (twice.length > 0) {
    throw invalid(
      templates,
      "deploy steps from all deploy templates matching this node's instance traits cannot have the same interface and " +
        `step. Duplicate deploy steps for ${twice.join(', ')}`,
    )
  }
  if (steps.length === 0) return steps
  try {
    check(steps)
  } catch (error) {
    if (!(error instanceof InvalidParameterValue)) throw error
    throw invalid(templates, error.message, error)
  }
  return steps
}

const invalid = (templates: readonly DeployTemplate[], reason: string, cause?: Error) =>
  new InvalidParameterValue(
    "Validation of deploy steps from deploy templates matching this node's instance traits failed. Matching deploy " +
      `templates: ${templates.map(({ name }) => name).join(',')}. Errors: ${reason}`,
    { cause },
  )

/** @source Ironic conductor/utils.validate_instance_info_traits @throws InvalidParameterValue */
function instanceTraits({ uuid, instance_info, traits: known }: Node): readonly string[] {
  const given = instance_info.traits ?? []
  if (!Array.isArray(given) || given.some((trait) => typeof trait !== 'string')) {
    throw new InvalidParameterValue(
      `Error parsing traits from Node ${uuid} instance_info field. A list of strings is expected.`,
    )
  }
  const traits = [...new Set<string>(given)]
  const missing = traits.filter((trait) => !known.includes(trait))
  if (missing.length === 0) return traits
  throw new InvalidParameterValue(
    `Cannot specify instance traits that are not also set on the node. Node ${uuid} is missing traits ${missing.join(', ').slice(0, 1000)}`,
  )
}

/** What a person asks for comes before what a template says of the same step. */
export function withTemplates(user: readonly AskedStep[], steps: readonly AskedStep[]): AskedStep[] {
  const asked = new Set(user.map(keyOf))
  return [...user, ...steps.filter((step) => !asked.has(keyOf(step)))]
}
