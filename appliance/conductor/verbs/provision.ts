/** The verbs of PUT states/provision: what is checked before the answer, and what goes on in the background. */
import { DeployFailure, InvalidParameterValue } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import { beginRecord } from '../machine/console.ts'
import { unlessStopped } from '../parts/background.ts'
import { stepShown } from '../procedures/procedure.ts'
import type { ProvisionRequest } from '../procedures/request.ts'
import { checkUnrescue, unrescue } from '../rescue/unrescue.ts'
import { handleOf, type NodeHandle } from '../states/node-handle.ts'
import { phaseOf, type Verb, verbFor } from '../states/state-machine.ts'
import type { Procedure } from '../steps/procedure.ts'
import type { RunnerParts, StepRunner } from '../steps/runner.ts'
import { checkConcurrency, checkMaintenanceOfAbort, checkProtected } from '../validation/may-begin.ts'
import { adopt } from './adopt.ts'
import { tearDown } from './tear-down.ts'

/** What goes on after the answer. The node is reserved until it ends. */
type Work = () => Promise<void>
type Verbs = Readonly<Partial<Record<Verb, (node: NodeHandle, request: ProvisionRequest) => Promise<Work | undefined>>>>

export function createProvision(parts: RunnerParts, runner: StepRunner, procedures: readonly Procedure[]) {
  const verbs: Verbs = { ...beginnings(parts, runner, procedures), ...otherVerbs(parts, runner, procedures) }
  const check = (node: Node, target: string) => {
    const begin = verbs[verbFor(node, target)]
    if (!begin) throw notBuilt(node, target)
    return begin
  }
  return async (ident: string, request: ProvisionRequest): Promise<void> => {
    const target = String(request.target)
    const node = handleOf(parts, ident)
    // Of a node that nobody holds, what its state does not allow is a 400 at once. One that is held is waited for: its
    // state may be another by then.
    if (node.record.reservation === null) check(node.record, target)
    const release = await parts.reservations.take(node.uuid)
    let work: Work | undefined
    try {
      work = await check(node.record, target)(node, request)
    } catch (error) {
      await release()
      throw error
    }
    if (!work) return release()
    parts.background.run(target, node.uuid, () => unlessStopped(parts, work).finally(release))
  }
}

/** The verbs that begin a procedure. */
function beginnings(parts: RunnerParts, runner: StepRunner, procedures: readonly Procedure[]): Verbs {
  const rows = procedures.flatMap((procedure) =>
    Object.entries(procedure.verbs).map(([verb, check]) => [verb as Verb, check, procedure] as const),
  )
  return Object.fromEntries(
    rows.map(([verb, check, procedure]) => [
      verb,
      async (node: NodeHandle, request: ProvisionRequest) => {
        const change = await check(parts, node.record, request)
        await node.move(verb, { error: null, ...stepShown(procedure.kind, {}), ...change })
        await beginRecord(parts, node.record)
        // Where there is nothing to do, the answer tells of the node as it is then.
        return (await procedure.passes?.(parts, node)) ? undefined : () => runner.begin(node)
      },
    ]),
  )
}

function otherVerbs(parts: RunnerParts, runner: StepRunner, procedures: readonly Procedure[]): Verbs {
  return {
    async delete(node) {
      checkProtected(node.record)
      checkConcurrency(parts, 'max_concurrent_clean', ['deleting', 'cleaning', 'clean wait'])
      parts.background.callOff(node.uuid, new DeployFailure('The instance is being deleted.'))
      await node.move('delete', { error: null, deploy_step: {}, service_step: {} })
      return () => tearDown(parts, runner, node)
    },
    async unhold(node) {
      await runner.unhold(node)
      return undefined
    },
    async adopt(node) {
      await node.move('adopt', { error: null })
      return () => adopt(parts, node)
    },
    async unrescue(node) {
      await checkUnrescue(parts, node.record)
      await node.move('unrescue', { error: null })
      return () => unrescue(parts, node)
    },
    async abort(node) {
      const { record } = node
      const failed = procedures.find(({ kind }) => phaseOf(record.provision_state)?.join() === `${kind},failed`)
      if (failed) {
        checkMaintenanceOfAbort(record)
        return runner.abortFailed(node, failed)
      }
      const procedure = runner.at(record)
      if (!procedure) throw notBuilt(record, 'abort')
      return runner.abort(node, procedure)
    },
  }
}

/** @source Ironic UnsupportedDriverExtension */
const notBuilt = ({ uuid, driver }: Node, target: string) =>
  new InvalidParameterValue(
    `Driver ${driver} does not support ${target} (disabled or not implemented). This appliance cannot do it for node ${uuid}.`,
  )
