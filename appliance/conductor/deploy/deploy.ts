/** The procedure deploy: an operating system onto a machine. */

import { forgetBoot } from '../boot/record.ts'
import { pluginOf } from '../plugin/plugin-of.ts'
import type { Procedure } from '../steps/procedure.ts'
import { staysBooted } from '../task/fast-track.ts'
import { checkConcurrency, checkMaintenance, checkProtected } from '../validation/may-begin.ts'
import { createKit } from './agent-flow.ts'
import { endFailure, finishDeploy } from './end.ts'
import { deployRequest } from './request.ts'

const beginDeploy: Procedure['verbs']['deploy'] = async (parts, node, request) => {
  checkMaintenance(node, 'provisioning')
  checkConcurrency(parts, 'max_concurrent_deploy', ['deploying', 'wait call-back'])
  return deployRequest(parts, DEPLOY, node, request)
}

export const DEPLOY: Procedure = {
  kind: 'deploy',
  verbs: {
    deploy: beginDeploy,
    async rebuild(parts, node, request) {
      checkProtected(node)
      return beginDeploy(parts, node, request)
    },
  },
  timeout: 'deploy_callback_timeout',
  words: {
    step: 'Deploy step',
    again: 'Deploy again.',
    ended: 'The deploy has ended.',
    failedBefore: () => 'Preparing the deploy failed: ',
    /** Begins as Ironic's does. */
    timeout: ({ uuid }, { step, limit_s, missing }) =>
      `Timeout reached while waiting for callback for node ${uuid} (step ${step}, [conductor] deploy_callback_timeout ${limit_s} s): ${missing}`,
    aborted: ({ uuid }) => `The deploy of node ${uuid} was aborted on request.`,
  },
  // The agent's own steps run between its boot and its end.
  rules: () => ({ steps: 'all', in_band: { min: 41, max: 99 } }),
  pluginSteps: (parts, plugin) => plugin.deploySteps(createKit(parts)),
  async open(parts, { uuid, record }, task) {
    // A node that is rebuilt has one of the instance before.
    await forgetBoot(parts, uuid, { staysBooted: staysBooted(parts, record) })
    await pluginOf(parts, record).prepare?.(task)
    return { done: true }
  },
  finish: finishDeploy,
  endFailure,
  isAbortable: () => true,
}
