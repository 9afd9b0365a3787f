/** What the rescue interface is handed. */
import type { Task } from '../../plugin-api/index.ts'
import type { RescueTask } from '../../plugin-api/interfaces.ts'
import { interfaceStepTask, type StepParts } from '../interfaces/steps.ts'
import { handleOf } from '../states/node-handle.ts'
import { bootInstance, type MachineParts } from '../task/machine.ts'

export function rescueTask(parts: MachineParts & StepParts, task: Task): RescueTask {
  const node = handleOf(parts, task.node.uuid)
  const boot = { value: () => bootInstance(parts, node, task.signal) }
  return Object.create(interfaceStepTask(parts, 'rescue', task), { bootInstance: boot }) as RescueTask
}
