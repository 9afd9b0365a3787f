/** A deploy, as the engine of steps sees it. */
import type { Kit } from '../../plugin-api/index.ts'
import { forgetBoot } from '../boot/record.ts'
import { nodeOf, type Parts, pluginOf } from '../parts/parts.ts'
import { userSteps } from '../procedures/plan.ts'
import { DEPLOY } from '../procedures/procedure.ts'
import type { Way } from '../steps/way.ts'
import { createKit } from './agent-flow.ts'
import { aborted, endFailure, failDeploy, finishDeploy } from './end.ts'
import { replan } from './plan.ts'

export function createDeploy(parts: Parts): Way {
  const kit: Kit = createKit(parts)
  const steps: Way['steps'] = (plugin) => plugin.deploySteps(kit)
  return {
    procedure: DEPLOY,
    async open(task) {
      // Of the instance before, when a node is rebuilt.
      await forgetBoot(parts, task.node.uuid)
      await pluginOf(parts, nodeOf(parts, task.node.uuid)).prepare?.(task)
      return { done: true }
    },
    steps,
    plan: (node, done, offered) =>
      replan(done, { plugin: steps(pluginOf(parts, node)), offered, user: userSteps(node) }),
    failedBefore: () => 'Preparing the deploy failed: ',
    /** Begins as Ironic's does. */
    timeout: ({ uuid }, { step, limit_s, missing }) =>
      `Timeout reached while waiting for callback for node ${uuid} (step ${step}, [conductor] deploy_callback_timeout ${limit_s} s): ${missing}`,
    finish: (uuid) => finishDeploy(parts, uuid),
    fail: (uuid, error) => failDeploy(parts, uuid, error),
    abort: (uuid) => failDeploy(parts, uuid, aborted(uuid)),
    endFailure: (uuid) => endFailure(parts, uuid),
  }
}
