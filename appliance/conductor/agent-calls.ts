/** Calls that come from agents: lookup and heartbeat. A stranger's changes nothing, and learns nothing. */
import { checkHeartbeat, heartbeatAllowed, recordOf } from '../agent/heartbeat.ts'
import { agentConfig, findForLookup, type LookupQuery } from '../agent/lookup.ts'
import { MASK } from '../log.ts'
import type { Json } from '../plugin-api/index.ts'
import type { Node } from '../records/kinds/node.ts'
import type { Heartbeat } from './conductor.ts'
import { merged, nodeOf, type Parts } from './parts/parts.ts'
import { handleOf } from './states/node-handle.ts'
import type { StepRunner } from './steps/runner.ts'
import type { Callback } from './steps/signs.ts'
import { tokenOf } from './task/callback.ts'

type CallParts = Pick<Parts, 'store' | 'config' | 'log'>

/** Gives the token to the first who asks after a boot, and to nobody else. */
export async function lookup(parts: CallParts, query: LookupQuery): Promise<{ node: Node; config: Json }> {
  const { api, agent, conductor } = parts.config
  const { uuid } = findForLookup(parts.store, query, { restrict_lookup: api.restrict_lookup })
  const { token, isNew } = await tokenOf(parts, uuid)
  parts.log.info('agent looked up', { node: uuid, first: isNew })
  const config = agentConfig({
    agent_token: isNew ? token : MASK,
    heartbeat_timeout_s: api.ramdisk_heartbeat_timeout,
    allow_md5_checksum: agent.allow_md5_checksum,
    permitted_image_formats: conductor.permitted_image_formats,
  })
  return { node: nodeOf(parts, uuid), config }
}

/** @throws NotFound, InvalidParameterValue  and then nothing has changed */
export async function heartbeat(parts: CallParts, runner: StepRunner, ident: string, given: Heartbeat): Promise<void> {
  const { uuid } = nodeOf(parts, ident)
  const { require_tls } = parts.config.agent
  let isRecorded = false
  // Checked again with the record as it is when it is written: of two that claim different addresses, one wins.
  await parts.store.nodes.update(
    uuid,
    (node) => {
      checkHeartbeat(node, given, { require_tls })
      isRecorded = heartbeatAllowed(node.provision_state)
      if (!isRecorded) return {}
      return { driver_internal_info: merged(node.driver_internal_info, recordOf(given, new Date())) }
    },
    { quiet: true },
  )
  if (!isRecorded) return
  parts.log.info('agent heartbeat', { node: uuid, ...(given.agent_status ? { status: given.agent_status } : {}) })
  runner.heard(handleOf(parts, uuid), callbackOf(given))
}

/** Installers tell a status; agents do not. */
function callbackOf({ agent_status, agent_status_message: message }: Heartbeat): Callback | undefined {
  if (agent_status !== 'start' && agent_status !== 'end' && agent_status !== 'error') return undefined
  return { status: agent_status, ...(message ? { message } : {}) }
}
