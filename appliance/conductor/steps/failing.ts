/** Fails a procedure, and has the plugin remove what it made. All procedures end in this way. */
import { type DeployFailure, messageOf } from '../../errors.ts'
import type { DeployPlugin } from '../../plugin-api/index.ts'
import type { Parts } from '../parts/parts.ts'
import { callPlugin } from '../plugin/faults.ts'
import { pluginOf } from '../plugin/plugin-of.ts'
import { internalChange, stepShown, underWay } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { removeProcedureFolder } from '../task/folder.ts'
import { makeTask } from '../task/task.ts'
import type { Procedure, ProcedureParts } from './procedure.ts'
import { whileItProgresses } from './stall.ts'

const CLEAN_UP_DEADLINE_S = 120

/** Does nothing to a node that is not in this procedure any more. */
export async function failProcedure(
  parts: ProcedureParts & Pick<Parts, 'onProcedureEnd' | 'code'>,
  procedure: Procedure,
  node: NodeHandle,
  { error, isAbort = false, event = 'fail' }: { error: DeployFailure; isAbort?: boolean; event?: 'fail' | 'abort' },
): Promise<void> {
  if (underWay(node.record)?.kind !== procedure.kind) return
  parts.background.callOff(node.uuid, error)
  await node.move(event, (now) => ({
    error,
    ...stepShown(procedure.kind, {}),
    ...procedure.failure?.(now, error, isAbort),
    // A restart finds by this that the end of the failure is not done yet.
    internal: internalChange(procedure.kind, { cleanup_pending: true }),
  }))
  if (event === 'abort' && procedure.abortGoesOn) await node.move('abort')
  parts.onProcedureEnd?.(procedure.kind, 'failed')
  await procedure.endFailure(parts, node)
  parts.code.forget(node.uuid)
}

/** Of a plugin that is `concerned`, and then the folder that it had. Its failure is noted, and changes nothing. */
export async function cleanUpByPlugin(
  parts: ProcedureParts,
  node: NodeHandle,
  concerned: (plugin: DeployPlugin) => boolean = () => true,
): Promise<void> {
  const { uuid } = node
  try {
    const plugin = pluginOf(parts, node.record)
    if (concerned(plugin)) {
      await whileItProgresses('cleanUp', CLEAN_UP_DEADLINE_S, parts.background.stopping, async (guard) =>
        callPlugin({ who: `the deploy interface ${plugin.name}`, node: uuid }, () =>
          plugin.cleanUp?.(makeTask(parts, node, guard)),
        ),
      )
    }
  } catch (error) {
    parts.background.stopping.throwIfAborted()
    parts.log.warn('plugin did not clean up', { node: uuid, reason: messageOf(error), error })
  }
  await removeProcedureFolder(parts, uuid)
}
