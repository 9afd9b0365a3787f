/** The verbs of PUT states/provision: who may, what is checked before the answer, and what goes on behind it. */
import { ApplianceError, DeployFailure, Forbidden, InvalidParameterValue, messageOf } from '../../errors.ts'
import type { Node, ProvisionState } from '../../records/kinds/node.ts'
import { validateRamdisk } from '../boot/ramdisk.ts'
import { validateCleaning } from '../clean/clean.ts'
import { abortedClean, CLEAN_TRACES, failClean, isCleanedByItself, passCleaning } from '../clean/end.ts'
import { cleanRequest } from '../clean/request.ts'
import { aborted, DEPLOY_TRACES, failDeploy } from '../deploy/end.ts'
import { deployRequest } from '../deploy/request.ts'
import { merged, nodeOf, type Parts } from '../parts/parts.ts'
import { CLEAN } from '../procedures/procedure.ts'
import type { ProvisionRequest } from '../procedures/request.ts'
import { type Verb, verbFor } from '../states/state-machine.ts'
import { move } from '../states/transitions.ts'
import type { StepRunner } from '../steps/runner.ts'
import { tearDown } from './tear-down.ts'
import { verify } from './verify.ts'

/** So many deploys or cleanings are under way that no more begin. @source Ironic ConcurrentActionLimit, which does not tell the limit either */
export class ConcurrentActionLimit extends ApplianceError {
  override readonly code = 503
}

const DEPLOYED: readonly ProvisionState[] = ['deploying', 'wait call-back']
const CLEANED: readonly ProvisionState[] = ['cleaning', 'clean wait']
const TORN_DOWN: readonly ProvisionState[] = ['deleting', ...CLEANED]

/** What goes on after the answer; the node is held until it ends. */
type Work = () => Promise<void>
type Verbs = Readonly<Partial<Record<Verb, (node: Node, request: ProvisionRequest) => Promise<Work | undefined>>>>

export function createProvision(parts: Parts, runner: StepRunner) {
  const verbs = verbsOf(parts, runner)
  return async (uuid: string, request: ProvisionRequest): Promise<void> => {
    const target = String(request.target)
    // Before the lock, as in Ironic: what can never be done is a 400 at once, not a 409 that clients repeat.
    const early = nodeOf(parts, uuid)
    const verb = verbFor(early, target)
    if (!verbs[verb]) throw notBuilt(early, target)
    const release = await parts.holds.take(early.uuid)
    let work: Work | undefined
    try {
      const node = nodeOf(parts, early.uuid)
      work = await verbs[verbFor(node, target)]?.(node, request)
    } catch (error) {
      await release()
      throw error
    }
    if (!work) return release()
    parts.jobs.run(target, early.uuid, () => unlessStopped(parts, work).finally(release))
  }
}

function verbsOf(parts: Parts, runner: StepRunner): Verbs {
  return {
    async manage({ uuid }) {
      const { provision_state } = await move(parts, uuid, 'manage', { last_error: null })
      return provision_state === 'verifying' ? () => verify(parts, uuid) : undefined
    },
    async provide(node) {
      if (node.retired) throw retired(node, 'provide')
      if (isCleanedByItself(parts, node)) await validateRamdisk(parts, node, CLEAN)
      await move(parts, node.uuid, 'provide', { last_error: null, clean_step: {} })
      // Where there is nothing to do, the answer tells of an available node.
      return (await passCleaning(parts, node.uuid)) ? undefined : () => runner.begin(node.uuid)
    },
    async clean(node, request) {
      await startClean(parts, node, request)
      return () => runner.begin(node.uuid)
    },
    async deploy(node, request) {
      await startDeploy(parts, node, request, 'deploy')
      return () => runner.begin(node.uuid)
    },
    async rebuild(node, request) {
      checkProtected(node)
      await startDeploy(parts, node, request, 'rebuild')
      return () => runner.begin(node.uuid)
    },
    async delete(node) {
      checkProtected(node)
      checkConcurrency(parts, 'max_concurrent_clean', TORN_DOWN)
      parts.jobs.callOff(node.uuid, new DeployFailure('The instance is being deleted.'))
      await move(parts, node.uuid, 'delete', { last_error: null, deploy_step: {} })
      return () => tearDown(parts, runner, node.uuid)
    },
    async abort(node) {
      if (node.provision_state === 'clean wait') return abortClean(parts, node)
      if (node.provision_state !== 'wait call-back') throw notBuilt(node, 'abort')
      return () => failDeploy(parts, node.uuid, aborted(node.uuid), 'abort')
    },
  }
}

/** @source Ironic conductor/deployments.py start_deploy */
async function startDeploy(
  parts: Parts,
  node: Node,
  request: ProvisionRequest,
  verb: 'deploy' | 'rebuild',
): Promise<void> {
  checkMaintenance(node, 'provisioning')
  checkConcurrency(parts, 'max_concurrent_deploy', DEPLOYED)
  const { instance_info, user_deploy_steps } = await deployRequest(parts, node, request)
  await move(parts, node.uuid, verb, ({ driver_internal_info }) => ({
    last_error: null,
    instance_info,
    deploy_step: {},
    driver_internal_info: merged(driver_internal_info, { ...DEPLOY_TRACES, user_deploy_steps }),
  }))
}

/** By steps that were asked for. @source Ironic manager.do_node_clean */
async function startClean(parts: Parts, node: Node, request: ProvisionRequest): Promise<void> {
  checkConcurrency(parts, 'max_concurrent_clean', CLEANED)
  checkMaintenance(node, 'cleaning')
  const asked = cleanRequest(request)
  try {
    await validateCleaning(parts, { ...node, driver_internal_info: merged(node.driver_internal_info, asked) })
  } catch (error) {
    if (!(error instanceof ApplianceError)) throw error
    throw new InvalidParameterValue(`Validation of node ${node.uuid} for cleaning failed: ${messageOf(error)}`, {
      cause: error,
    })
  }
  await move(parts, node.uuid, 'clean', ({ driver_internal_info }) => ({
    last_error: null,
    clean_step: {},
    driver_internal_info: merged(driver_internal_info, { ...CLEAN_TRACES, ...asked }),
  }))
}

/** A step that cannot be stopped is ended first. @source Ironic manager._do_abort */
async function abortClean(parts: Parts, { uuid, clean_step }: Node): Promise<Work | undefined> {
  if (Object.keys(clean_step).length === 0 || clean_step.abortable === true) {
    return () => failClean(parts, uuid, abortedClean(nodeOf(parts, uuid)), { way: 'abort', isAbort: true })
  }
  await parts.store.nodes.update(uuid, (node) => ({ clean_step: { ...node.clean_step, abort_after: true } }))
  return undefined
}

/** What the appliance's end interrupts is found again at its start. */
export async function unlessStopped(parts: Pick<Parts, 'jobs'>, work: Work): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!parts.jobs.stopping.aborted) throw error
  }
}

/** @source Ironic NodeInMaintenance */
function checkMaintenance({ uuid, maintenance }: Node, op: string): void {
  if (!maintenance) return
  throw new InvalidParameterValue(
    `The ${op} operation can't be performed on node ${uuid} because it's in maintenance mode.`,
  )
}

/** @source Ironic NodeProtected */
function checkProtected(node: Node): void {
  if (!node.protected) return
  throw new Forbidden(`Node ${node.uuid} is protected and cannot be undeployed, rebuilt or deleted`)
}

/** @source Ironic NodeIsRetired */
const retired = ({ uuid }: Node, op: string) =>
  new InvalidParameterValue(`The ${op} operation can't be performed on node ${uuid} because it is retired.`)

/** @source Ironic _concurrent_action_limit */
function checkConcurrency(
  { store, config }: Parts,
  limit: 'max_concurrent_deploy' | 'max_concurrent_clean',
  states: readonly ProvisionState[],
): void {
  let under_way = 0
  for (const { provision_state } of store.nodes.all()) if (states.includes(provision_state)) under_way++
  if (under_way < config.conductor[limit]) return
  throw new ConcurrentActionLimit(
    'Unable to process request at this time. The concurrent action limit for provisioning has been reached. Please contact your administrator and try again later.',
  )
}

/** @source Ironic UnsupportedDriverExtension */
const notBuilt = ({ uuid, driver }: Node, target: string) =>
  new InvalidParameterValue(
    `Driver ${driver} does not support ${target} (disabled or not implemented). This appliance cannot do it for node ${uuid}.`,
  )
