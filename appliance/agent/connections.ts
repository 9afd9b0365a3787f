/** TLS connections to agents. Each is checked against the certificate that the agent sent with its heartbeat. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { TLSSocket } from 'node:tls'
import type { Reach } from '@appliance/ground/reach'
import type { Agent, buildConnector, Dispatcher } from 'undici'
import { AgentFailure, InvalidParameterValue, messageOf } from '../errors.ts'
import type { Node } from '../records/kinds/node.ts'

export type Connections = {
  /** @throws AgentFailure  certificate of the heartbeat unreadable; InvalidParameterValue  verify_ca is no file */
  to(node: Node, url: URL): Promise<Dispatcher>
  forget(node_uuid: string): void
  close(): Promise<void>
}
/** PEM text to check against, or whether to check against the well-known authorities. */
type Trust = { pem: string } | boolean

const CONNECT_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 10_000

/** @param reach  which addresses agents may have: an agent tells its own */
export function createConnections(verify_ca: string, reach: Reach): Connections {
  const open = new Map<string, { key: string; dispatcher: Agent }>()

  const forget = (node_uuid: string) => {
    const entry = open.get(node_uuid)
    open.delete(node_uuid)
    void entry?.dispatcher.destroy()
  }
  return {
    async to(node, url) {
      const trust = await trustFor(node, verify_ca)
      const key = JSON.stringify([url.origin, trust])
      // Before the look at what is open: between that and the new entry nobody else must come.
      const { Agent, buildConnector } = await import('undici')
      const entry = open.get(node.uuid)
      if (entry?.key === key) return entry.dispatcher
      forget(node.uuid)
      const dispatcher = new Agent({
        connect: reach.guard(connectorFor(trust, buildConnector, reach.lookup)),
        keepAliveTimeout: KEEP_ALIVE_MS,
        connections: 2,
      })
      open.set(node.uuid, { key, dispatcher })
      return dispatcher
    },
    forget,
    async close() {
      await Promise.all([...open.values()].map(({ dispatcher }) => dispatcher.destroy()))
      open.clear()
    },
  }
}

/** @source Ironic agent_client._get_verify: the heartbeat's certificate, else driver_info, else [agent] verify_ca */
async function trustFor(node: Node, verify_ca: string): Promise<Trust> {
  const own = node.driver_internal_info.agent_verify_ca
  if (typeof own === 'string' && own !== '') return { pem: own }
  const asked = String(node.driver_info.agent_verify_ca ?? verify_ca)
  if (/^(true|yes|on|1)$/i.test(asked)) return true
  if (/^(false|no|off|0)$/i.test(asked)) return false
  const pem = await readFile(asked, 'utf8').catch((error: Error) => {
    throw new InvalidParameterValue(`Agent CA ${asked} is neither a file nor a boolean: ${error.message}`)
  })
  return { pem }
}

/**
 * The peer must show the very certificate that the agent sent, or one that it signed for this address.
 * The first check does not look at dates: a machine whose clock is wrong makes certificates of the wrong year.
 */
function connectorFor(trust: Trust, build: typeof buildConnector, lookup: Reach['lookup']): buildConnector.connector {
  const shared = { lookup, timeout: CONNECT_TIMEOUT_MS }
  if (typeof trust === 'boolean') return build({ ...shared, rejectUnauthorized: trust })
  const pinned = fingerprint(trust.pem)
  // A resumed session would skip the check of the certificate.
  const connect = build({ ...shared, ca: trust.pem, rejectUnauthorized: false, maxCachedSessions: 0 })
  return (options, callback) => {
    connect(options, (error, socket) => {
      if (error) return void callback(error, null)
      const tls = socket as TLSSocket
      if (options.protocol !== 'https:' || tls.authorized || tls.getPeerX509Certificate()?.fingerprint256 === pinned) {
        return void callback(null, socket)
      }
      tls.destroy()
      callback(
        new Error(`its certificate is not the one of its heartbeat (${messageOf(tls.authorizationError)})`),
        null,
      )
    })
  }
}

function fingerprint(pem: string): string {
  try {
    return new X509Certificate(pem).fingerprint256
  } catch (error) {
    throw new AgentFailure(`agent_verify_ca holds no certificate: ${messageOf(error)}`, { cause: error })
  }
}
