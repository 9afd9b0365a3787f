/** Ends an inspection, good or bad: looks at the report, switches the machine off, and says how it went. */
import { messageOf } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import { endProcedureBoot } from '../boot/record.ts'
import { interfaceOf } from '../interfaces/interface-of.ts'
import { switchedBack } from '../plugin/plugin-of.ts'
import { forgetAgent, keepsPower, setPower } from '../power/power.ts'
import { leftovers } from '../procedures/procedure.ts'
import type { NodeChange, NodeHandle } from '../states/node-handle.ts'
import { ProcedureFailure, type ProcedureParts } from '../steps/procedure.ts'
import { staysBooted } from '../task/fast-track.ts'
import { learn } from './learn.ts'

/** The node is reserved and `inspecting`. May come again after a restart: the report is there until the end. */
export async function finishInspect(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  const { uuid } = node
  const report = await parts.inspections.report(uuid)
  if (report) await learn(parts, node, report)
  try {
    await tearDown(parts, node)
  } catch (error) {
    parts.background.stopping.throwIfAborted()
    throw new ProcedureFailure(`Inspection clean up failed: unable to power off the node: ${messageOf(error)}`, {
      cause: error,
    })
  }
  await node.move('done', (now) => ({
    error: null,
    inspection_finished_at: new Date().toISOString(),
    ...ended(now),
  }))
  await parts.inspections.dropReport(uuid)
}

/** May come again after a restart. */
export async function endInspectFailure(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  await tearDown(parts, node).catch(async (error: unknown) => {
    parts.background.stopping.throwIfAborted()
    const also = `Inspection clean up failed: unable to power off the node: ${messageOf(error)}`
    await node.update(({ last_error }) => ({ error: new Error(`${last_error}. ${also}`) }))
  })
  await forgetAgent(parts, node)
  await parts.inspections.dropReport(node.uuid)
  await node.update(ended)
}

function ended(now: Node): NodeChange {
  const { internal, ...back } = switchedBack(now)
  return { ...back, internal: { ...leftovers('inspect'), ...internal } }
}

/** What a BMC tells needs no power, and leaves it as it is. */
async function tearDown(parts: ProcedureParts, node: NodeHandle): Promise<void> {
  const stays = staysBooted(parts, node.record)
  await endProcedureBoot(parts, node.uuid, { staysBooted: stays })
  const usesAgent = interfaceOf(parts, node.record, 'inspect').usesAgent ?? false
  if (stays || !usesAgent || !parts.config.inspector.power_off) return
  await setPower(parts, node, keepsPower(parts, node.record) ? 'rebooting' : 'power off', {
    signal: parts.background.stopping,
  })
}
