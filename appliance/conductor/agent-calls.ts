/** Calls that come from agents: lookup and heartbeat. A stranger's changes nothing, and learns nothing. */

import { MASK } from '@appliance/ground/secret-words'
import { checkHeartbeat, heartbeatAllowed, messageToKeep, recordOf } from '../agent/heartbeat.ts'
import { agentConfig, findForLookup, type LookupQuery } from '../agent/lookup.ts'
import type { Json } from '../plugin-api/index.ts'
import type { Node } from '../records/kinds/node.ts'
import type { Heartbeat } from './conductor.ts'
import type { Parts } from './parts/parts.ts'
import { handleOf } from './states/node-handle.ts'
import type { StepRunner } from './steps/runner.ts'
import type { Callback } from './steps/signs.ts'
import { tokenOf } from './task/callback.ts'

type CallParts = Pick<Parts, 'store' | 'config' | 'log'>

/** Gives the token to the first who asks after a boot, and to nobody else. */
export async function lookup(parts: CallParts, query: LookupQuery): Promise<{ node: Node; config: Json }> {
  const { api, agent, conductor } = parts.config
  const found = findForLookup(parts.store, query, { restrict_lookup: api.restrict_lookup })
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
export async function heartbeat(parts: CallParts, runner: StepRunner, ident: string, given: Heartbeat): Promise<void> {
  const node = handleOf(parts, ident)
  const { require_tls } = parts.config.agent
  let isRecorded = false
  // Checked again with the record as it is when it is written: of two that claim different addresses, one wins.
  await node.update(
    (now) => {
      checkHeartbeat(now, given, { require_tls })
      isRecorded = heartbeatAllowed(now.provision_state)
      return isRecorded ? { internal: recordOf(given, new Date(), now.driver_internal_info) } : {}
    },
    { quiet: true },
  )
  if (!isRecorded) return
  parts.log.info('agent heartbeat', { node: node.uuid, ...(given.agent_status ? { status: given.agent_status } : {}) })
  runner.heard(node, callbackOf(given))
}

/** Installers tell a status; agents do not. */
function callbackOf({ agent_status, agent_status_message: message }: Heartbeat): Callback | undefined {
  if (agent_status !== 'start' && agent_status !== 'end' && agent_status !== 'error') return undefined
  return { status: agent_status, ...(message ? { message: messageToKeep(message) } : {}) }
}
