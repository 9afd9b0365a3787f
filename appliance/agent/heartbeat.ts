/**
 * Checks that a heartbeat comes from this node's agent, and picks what the record takes of it. Decides nothing about
 * the deploy.
 */
import { X509Certificate } from 'node:crypto'
import { plainText } from '@appliance/ground/plain-text'
import { isSameText } from '@appliance/ground/same-text'
import { InvalidParameterValue, messageOf } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import type { InternalInfo } from '../records/kinds/internal-info.ts'
import type { Node, ProvisionState } from '../records/kinds/node.ts'
import { checkLayerFacts, factsToKeep } from './layer-facts.ts'

export type Heartbeat = {
  callback_url: string
  agent_token?: string
  agent_version?: string
  agent_verify_ca?: string
  agent_status?: string
  agent_status_message?: string
  /** By layer of our ramdisk; no field of Ironic's. */
  layer_facts?: Json
}

/** In other states a heartbeat is not even recorded. @source Ironic agent_base.HEARTBEAT_ALLOWED */
const HEARTBEAT_STATES: ReadonlySet<ProvisionState> = new Set([
  'wait call-back',
  'clean wait',
  'rescue wait',
  'service wait',
  'deploying',
  'cleaning',
  'rescuing',
  'servicing',
  'deploy hold',
  'clean hold',
  'service hold',
])
/**
 * With fast track, an agent calls in these, too.
 * @source Ironic states.FASTTRACK_LOOKUP_ALLOWED_STATES, agent_base.FASTTRACK_HEARTBEAT_ALLOWED
 */
export const FAST_TRACK_STATES: ReadonlySet<ProvisionState> = new Set(['enroll', 'manageable', 'available'])
export const heartbeatAllowed = (state: ProvisionState) => HEARTBEAT_STATES.has(state)

const AGENT_STATUSES = ['start', 'end', 'error'] as const
const URL_LIMIT = 2048
const CERTIFICATE_LIMIT = 32 * 1024
const MESSAGE_LIMIT = 2000

/** @throws InvalidParameterValue  in Ironic's words (CONTRIBUTING.md, Heartbeat) */
export function checkHeartbeat(node: Node, heartbeat: Heartbeat, options: { require_tls: boolean }): void {
  const { callback_url, agent_token, agent_status, agent_version } = heartbeat
  checkCallbackUrl(callback_url)
  const known = node.driver_internal_info.agent_url
  if (typeof known === 'string' && known !== callback_url) {
    throw new InvalidParameterValue('Detected change in ramdisk provided "callback_url"')
  }
  if (agent_token === undefined) {
    throw new InvalidParameterValue('Agent token is required for heartbeat processing.')
  }
  if (agent_status !== undefined && !(AGENT_STATUSES as readonly string[]).includes(agent_status)) {
    throw new InvalidParameterValue(`Agent status is invalid. Valid states are ${AGENT_STATUSES.join(',')}.`)
  }
  if (agent_version === undefined && agent_status === undefined) {
    throw new InvalidParameterValue(
      'Agent did not transmit a version, and a version is required. Please update the agent being used.',
    )
  }
  if (!sameToken(node.driver_internal_info.agent_secret_token, agent_token)) {
    throw new InvalidParameterValue('Invalid or missing agent token received.')
  }
  if (options.require_tls && callback_url !== '' && !callback_url.startsWith('https://')) {
    throw new InvalidParameterValue('TLS is required by configuration')
  }
  if (heartbeat.agent_verify_ca) checkCertificate(node, heartbeat.agent_verify_ca)
  if (heartbeat.layer_facts) checkLayerFacts(node, heartbeat.layer_facts)
}

function checkCallbackUrl(callback_url: string): void {
  // An installer only reports: it has no address to be called at.
  if (callback_url === '') return
  const url = callback_url.length <= URL_LIMIT && URL.canParse(callback_url) ? new URL(callback_url) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new InvalidParameterValue('An issue with the supplied "callback_url" has been detected.')
  }
}

const sameToken = (known: unknown, given: string): boolean =>
  typeof known === 'string' && known !== '' && isSameText(known, given)

function checkCertificate(node: Node, pem: string): void {
  const known = node.driver_internal_info.agent_verify_ca
  if (typeof known === 'string' && known.trim() !== pem.trim()) {
    throw new InvalidParameterValue('Detected change in ramdisk provided "agent_verify_ca"')
  }
  try {
    if (pem.length > CERTIFICATE_LIMIT) throw new Error(`it is longer than ${CERTIFICATE_LIMIT} bytes`)
    new X509Certificate(pem)
  } catch (error) {
    throw new InvalidParameterValue(`agent_verify_ca is not a certificate in PEM: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** What an installer or a stranger wrote. */
export const messageToKeep = (text: string) => plainText(text.slice(0, MESSAGE_LIMIT))

/**
 * The fields of a heartbeat that go into driver_internal_info.
 * @param known  what is there already
 */
export function recordOf(heartbeat: Heartbeat, now: Date, known: InternalInfo = {}): InternalInfo {
  const { callback_url, agent_version, agent_verify_ca, agent_status, agent_status_message, layer_facts } = heartbeat
  return {
    agent_url: callback_url,
    agent_last_heartbeat: now.toISOString(),
    ...(agent_version ? { agent_version: plainText(agent_version.slice(0, 100)) } : {}),
    ...(agent_verify_ca ? { agent_verify_ca } : {}),
    ...(agent_status ? { agent_status } : {}),
    ...(agent_status_message ? { agent_status_message: messageToKeep(agent_status_message) } : {}),
    ...(layer_facts ? { agent_layer_facts: factsToKeep(known.agent_layer_facts, layer_facts) } : {}),
  }
}
