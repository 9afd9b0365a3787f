/** The steps that a node's interfaces bring, beside those of its deploy plugin and its agent. */

import type { Step, Task } from '../../plugin-api/index.ts'
import type { Implementation, InterfaceStep, InterfaceStepTask, Interfaces } from '../../plugin-api/interfaces.ts'
import type { Node } from '../../records/kinds/node.ts'
import { nodeOf, type Parts, setInternal } from '../parts/parts.ts'
import { interfaceOf, interfaceOptions, nodeFor } from './interface-of.ts'

/** Of these types Ironic takes steps. @source Ironic conductor/steps.py DEPLOYING_INTERFACE_PRIORITY */
const TYPES = [
  'vendor',
  'power',
  'management',
  'firmware',
  'bios',
  'raid',
] as const satisfies readonly (keyof Interfaces)[]

type StepParts = Pick<Parts, 'hardware' | 'store' | 'option_values'>

/**
 * @param kind  the procedure that is to run them
 * @throws InvalidParameterValue  an interface of the node is not enabled
 */
export function interfaceSteps(
  parts: StepParts,
  node: Node,
  kind: 'deploy' | 'clean',
): readonly (Step & { interface: string })[] {
  return TYPES.flatMap((type) => {
    const implementation: Implementation = interfaceOf(parts, node, type)
    return (implementation.steps ?? [])
      .filter((step) => step.of.includes(kind))
      .map((step) => ({ ...stepOf(parts, implementation, step), interface: type }))
  })
}

function stepOf(
  parts: StepParts,
  implementation: Implementation,
  { of: _of, run, resume, ...described }: InterfaceStep,
): Step {
  const taskFor = (task: Task): InterfaceStepTask => {
    const node = nodeOf(parts, task.node.uuid)
    // What the task makes only when it is asked for stays so.
    return Object.create(task, {
      node: { value: nodeFor(node, implementation) },
      options: { value: interfaceOptions(parts, node, implementation) },
      remember: {
        value: (values: Parameters<InterfaceStepTask['remember']>[0]) => setInternal(parts, node.uuid, values),
      },
    }) as InterfaceStepTask
  }
  return {
    ...described,
    run: (task, args) => run(taskFor(task), args),
    ...(resume && { resume: (task, sign) => resume(taskFor(task), sign) }),
  }
}
