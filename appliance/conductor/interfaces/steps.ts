/** The steps that a node's interfaces bring, beside those of its deploy plugin and its agent. */

import type { Json, ProcedureKind, Step, Task } from '../../plugin-api/index.ts'
import type { Implementation, InterfaceStep, InterfaceStepTask, Interfaces } from '../../plugin-api/interfaces.ts'
import { INTERFACE_TYPES, type Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import { handleOf } from '../states/node-handle.ts'
import { interfaceOf, sightOf } from './interface-of.ts'

/** Of these types Ironic takes steps. @source Ironic conductor/steps.py DEPLOYING_INTERFACE_PRIORITY */
const TYPES = [
  'vendor',
  'power',
  'management',
  'firmware',
  'bios',
  'raid',
] as const satisfies readonly (keyof Interfaces)[]

/** @source Ironic conductor/steps.py VERIFYING_INTERFACE_PRIORITY: of any type */
const ALL = INTERFACE_TYPES.filter((type) => type !== 'deploy')

export type StepParts = Pick<Parts, 'hardware' | 'store' | 'log' | 'option_values'>

/**
 * @param kind  the procedure that is to run them
 * @throws InvalidParameterValue  an interface of the node is not enabled
 */
export function interfaceSteps(
  parts: StepParts,
  node: Node,
  kind: ProcedureKind,
): readonly (Step & { interface: string })[] {
  return (kind === 'verify' ? ALL : TYPES).flatMap((type) => {
    const implementation: Implementation = interfaceOf(parts, node, type)
    return (implementation.steps ?? [])
      .filter((step) => step.of.includes(kind))
      .map((step) => ({ ...stepOf(parts, type, step), interface: type }))
  })
}

function stepOf(parts: StepParts, type: keyof Interfaces, { of: _of, run, resume, ...described }: InterfaceStep): Step {
  const taskFor = (task: Task) => interfaceStepTask(parts, type, task)
  return {
    ...described,
    run: (task, args) => run(taskFor(task), args),
    ...(resume && { resume: (task, sign) => resume(taskFor(task), sign) }),
  }
}

/** What a step of an interface is handed: the task of its procedure, with what this interface sees of the node. */
export function interfaceStepTask(parts: StepParts, type: keyof Interfaces, task: Task): InterfaceStepTask {
  const node = handleOf(parts, task.node.uuid)
  // What the task makes only when it is asked for stays so.
  const { node: seen, options } = sightOf(parts, node.record, type)
  return Object.create(task, {
    node: { value: seen },
    options: { value: options },
    remember: { value: async (values: Json) => void (await node.update({ internal: values })) },
  }) as InterfaceStepTask
}
