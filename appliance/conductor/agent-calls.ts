/** Calls that come from agents: lookup and heartbeat. A stranger's changes nothing, and learns nothing. */
import { plainAddress } from '@appliance/ground/plain-address'
import { MASK } from '@appliance/ground/secret-words'
import { checkHeartbeat, heartbeatAllowed, messageToKeep, recordOf } from '../agent/heartbeat.ts'
import { agentConfig, findForLookup, type LookupQuery, NO_SUCH_NODE } from '../agent/lookup.ts'
import { InvalidParameterValue, NotFound } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import type { Node } from '../records/kinds/node.ts'
import { type Asker, claimLookup, isBootOf, isLeasedToNode, START_AGAIN } from './boot/window.ts'
import type { Heartbeat } from './conductor.ts'
import type { Parts } from './parts/parts.ts'
import { handleOf } from './states/node-handle.ts'
import type { StepRunner } from './steps/runner.ts'
import type { Callback } from './steps/signs.ts'
import { tokenOf } from './task/callback.ts'
import { isBetweenProcedures as isBetween } from './task/fast-track.ts'

type CallParts = Pick<Parts, 'store' | 'config' | 'log' | 'isLeased' | 'strangers'>

/**
 * Gives the token to the first who asks after a boot, and to nobody else. Who is not the machine that was started gets
 * what everybody gets for a node that does not exist.
 */
export async function lookup(
  parts: CallParts,
  query: LookupQuery,
  asker: Asker,
): Promise<{ node: Node; config: Json }> {
  const { api, agent, conductor } = parts.config
  const found = findForLookup(parts.store, query, {
    restrict_lookup: api.restrict_lookup,
    isBetween: (node) => isBetween(parts, node),
    isBooted: (uuid) => isBootOf(parts, uuid, asker),
  })
  const refusal = await claimLookup(parts, found.uuid, asker)
  if (refusal !== undefined) {
    const what = `Lookup of node ${found.uuid} ${refusal}: not answered. ${START_AGAIN}`
    await parts.strangers.note(found.uuid, what)
    throw new NotFound(NO_SUCH_NODE)
  }
  const node = handleOf(parts, found.uuid)
  const { token, isNew } = await tokenOf(node)
  parts.log.info('agent looked up', { node: node.uuid, first: isNew })
  const config = agentConfig({
    agent_token: isNew ? token : MASK,
    heartbeat_timeout_s: api.ramdisk_heartbeat_timeout,
    allow_md5_checksum: agent.allow_md5_checksum,
    permitted_image_formats: conductor.permitted_image_formats,
  })
  return { node: node.record, config }
}

/** @throws NotFound, InvalidParameterValue  and then nothing has changed */
export async function heartbeat(
  parts: CallParts & { runner: StepRunner },
  ident: string,
  given: Heartbeat,
  asker: Asker,
): Promise<void> {
  const node = handleOf(parts, ident)
  const { require_tls } = parts.config.agent
  // A machine may take another card for its heartbeats than for its lookup.
  const isMoved = (parts.store.boots.get(node.uuid)?.window?.agent_address ?? asker.address) !== asker.address
  const isLeased = isMoved && (await isLeasedToNode(parts, node.uuid, asker.address)) === true
  let isRecorded = false
  let refusal: string | undefined
  // Checked again with the record as it is when it is written: of two that claim different addresses, one wins.
  await node.update(
    (now) => {
      checkHeartbeat(now, given, { require_tls })
      refusal = strangeCall(parts, now.uuid, given, { ...asker, isLeased })
      if (refusal !== undefined) return {}
      isRecorded = heartbeatAllowed(now.provision_state) || isBetween(parts, now)
      return isRecorded ? { internal: recordOf(given, new Date(), now.driver_internal_info) } : {}
    },
    { quiet: true },
  )
  if (refusal !== undefined) {
    await parts.strangers.note(node.uuid, `Heartbeat of node ${node.uuid}: ${refusal}`)
    throw new InvalidParameterValue(refusal)
  }
  if (!isRecorded) return
  parts.log.info('agent heartbeat', { node: node.uuid, ...(given.agent_status ? { status: given.agent_status } : {}) })
  parts.runner.heard(node, callbackOf(given))
}

/**
 * An agent is called back where it called from: at its own address, from which it looked itself up, or which our DHCP
 * has given to another card of its machine.
 */
function strangeCall(
  { store, config }: CallParts,
  uuid: string,
  { callback_url }: Heartbeat,
  { address, isLeased }: Asker & { isLeased: boolean },
): string | undefined {
  if (!config.api.check_machine_address || callback_url === '') return undefined
  const host = plainAddress(new URL(callback_url).hostname)
  if (host !== address) {
    return (
      `The host of "callback_url" is ${host.slice(0, 100)}, and the heartbeat came from ${address}: an agent's own address ` +
      'is expected. Where a proxy stands between them, set [api] check_machine_address = False.'
    )
  }
  if (isLeased) return undefined
  const known = store.boots.get(uuid)?.window?.agent_address ?? address
  if (known === address) return undefined
  return (
    `The heartbeat came from ${address}, and the lookup of its boot from ${known}. Where both are of its machine, without ` +
    'leases of the DHCP of this box, set [api] check_machine_address = False.'
  )
}

/** Installers tell a status; agents do not. */
function callbackOf({ agent_status, agent_status_message: message }: Heartbeat): Callback | undefined {
  if (agent_status !== 'start' && agent_status !== 'end' && agent_status !== 'error') return undefined
  return { status: agent_status, ...(message ? { message: messageToKeep(message) } : {}) }
}
