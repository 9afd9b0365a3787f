/**
 * Fast track: an agent that lives goes on from one procedure to the next, and its machine is not started anew. Who
 * counts as that agent is decided as in any other boot (boot/window.ts).
 */
import { FAST_TRACK_STATES } from '../../agent/heartbeat.ts'
import type { ProcedureKind } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { isFastTracked } from '../boot/fast-tracked.ts'
import type { Parts } from '../parts/parts.ts'
import { type PowerParts, readPowerState } from '../power/power.ts'
import { internalOf, procedureOf } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'

/** An inspection boots the agent for its report; a rescue and a service leave the machine to somebody else. */
const KINDS: readonly ProcedureKind[] = ['deploy', 'clean']

/** An agent may call from the node though it is in no procedure. */
export const isBetweenProcedures = (parts: Pick<Parts, 'config'>, node: Node): boolean =>
  FAST_TRACK_STATES.has(node.provision_state) && isFastTracked(parts, node)

/** At the end of a procedure: whether the machine stays in the boot that this box began, for the next one. */
export function staysBooted(parts: Pick<Parts, 'config' | 'store'>, node: Node): boolean {
  const boot = parts.store.boots.get(node.uuid)
  const isBooted = boot?.agent === true && boot.window !== null && boot.files_secret.length === 0
  return isBooted && isFastTracked(parts, node) && node.last_error === null && node.power_state === 'power on'
}

/**
 * At the beginning of a procedure: whether the agent lives that it would boot.
 * @param layers  of the ramdisk that the procedure needs
 * @source Ironic conductor/utils.py is_fast_track
 * @throws BmcFailure
 */
export async function findsAgent(
  parts: PowerParts,
  node: NodeHandle,
  layers: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const { record } = node
  const { kind } = procedureOf(record)
  const { agent_url, agent_layers, agent_last_heartbeat } = record.driver_internal_info
  // An agent that has told its steps in this procedure is booted anew because somebody wants it to be.
  if (!KINDS.includes(kind) || internalOf(record, kind, 'offered') !== undefined || !staysBooted(parts, record)) {
    return false
  }
  const isKnown = Boolean(agent_url) && typeof parts.store.boots.get(node.uuid)?.window?.agent_address === 'string'
  const age_ms = Date.now() - Date.parse(agent_last_heartbeat ?? '')
  const isAlive = isKnown && age_ms <= parts.config.deploy.fast_track_timeout * 1000
  if (!isAlive || !agent_layers || !layers.every((layer) => agent_layers.includes(layer))) return false
  return (await readPowerState(parts, node, signal)) === 'power on'
}
