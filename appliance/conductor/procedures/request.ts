/** What a client asks of a node's life: the body of a request, and the steps in it. */
import { isObject } from '@appliance/ground/json'
import { InvalidParameterValue } from '../../errors.ts'
import type { Json, ProcedureKind } from '../../plugin-api/index.ts'
import type { AskedStep } from '../../records/kinds/internal-info.ts'
import { checkReserved, isReserved } from './reserved.ts'

/** Body of PUT /v1/nodes/{node}/states/provision. */
export type ProvisionRequest = {
  target: string
  configdrive?: string | Json | null
  deploy_steps?: readonly Json[]
  clean_steps?: readonly Json[]
  service_steps?: readonly Json[]
  rescue_password?: string
  disable_ramdisk?: boolean
}

const STEPS_LIMIT = 200

/**
 * deploy_steps, clean_steps, ... of a request, in shape.
 * @param rules  all: a priority for each, none twice; asked: at least one, in the order of the request
 * @throws InvalidParameterValue
 */
export function parseAskedSteps(
  field: `${ProcedureKind}_steps`,
  rules: 'all' | 'asked',
  given: readonly Json[],
): AskedStep[] {
  const isTooFew = rules === 'asked' && given.length === 0
  if (isTooFew || given.length > STEPS_LIMIT) {
    const limit = rules === 'asked' ? `1 to ${STEPS_LIMIT}` : `at most ${STEPS_LIMIT}`
    throw new InvalidParameterValue(`${field} has ${given.length} steps: ${limit} are taken.`)
  }
  const steps = given.map((item) => parseStep(field, rules, item))
  const twice = steps.find((step, at) => steps.findIndex((other) => isSame(other, step)) !== at)
  for (const step of steps) checkReserved(field, step)
  if (twice && rules === 'all' && !isReserved(twice)) {
    throw new InvalidParameterValue(`${field} names ${twice.interface}.${twice.step} more than once.`)
  }
  return steps
}

function parseStep(field: string, rules: 'all' | 'asked', item: Json): AskedStep {
  const { interface: name, step, priority, args = {}, execute_on_child_nodes } = item ?? {}
  const isPriority = rules === 'asked' || (Number.isInteger(priority) && Number(priority) >= 0)
  if (typeof name !== 'string' || typeof step !== 'string' || !isPriority || !isObject(args)) {
    const wanted =
      rules === 'asked' ? '{interface, step, args: {...}}' : '{interface, step, priority: 0 or more, args: {...}}'
    throw new InvalidParameterValue(`${field} holds ${JSON.stringify(item)?.slice(0, 200)}: expected ${wanted}.`)
  }
  if (rules === 'asked' && execute_on_child_nodes === true) {
    throw new InvalidParameterValue(
      `${field} asks for ${name}.${step} on child nodes, which this appliance does not do. Ask for it on each of them.`,
    )
  }
  return { interface: name, step, priority: rules === 'asked' ? 0 : Number(priority), args }
}

const isSame = (a: AskedStep, b: AskedStep) => a.interface === b.interface && a.step === b.step
