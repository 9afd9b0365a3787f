/**
 * The part of Ironic's API that agents call, and Ironic's calls to the agent. Answers as it should, or as it is told
 * to.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'

export const NODE_UUID = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
export type Answer = { status: number; body?: unknown }
export type HeartbeatBody = {
  callback_url: string
  agent_token?: string
  agent_version?: string
  agent_verify_ca?: string
  layer_facts?: Record<string, unknown>
}
type Call = { method: string; url: string; headers: IncomingHttpHeaders; body: unknown }
export type FakeIronicOptions = {
  /** Highest API version. */
  version?: string
  node?: Record<string, unknown>
  config?: Record<string, unknown>
  /** Instead of its own answers, one for each call; after the last one it answers as it should. */
  lookups?: Answer[]
  heartbeats?: Answer[]
  /** To GET /. */
  roots?: Answer[]
  /** To reports of inspections. */
  inspections?: Answer[]
}
export type FakeIronic = AsyncDisposable & {
  url: string
  token: string
  calls: Call[]
  /** Those with this path, by method. */
  named(path: string): Call[]
  /** The heartbeat with this number, from 1; waits for it. */
  heartbeat(number: number): Promise<HeartbeatBody>
}

const DEADLINE_MS = 10_000

export async function startIronic(options: FakeIronicOptions = {}): Promise<FakeIronic> {
  const {
    version = '1.115',
    node = {},
    config = {},
    lookups = [],
    heartbeats = [],
    roots = [],
    inspections = [],
  } = options
  const token = randomBytes(24).toString('base64url')
  const calls: Call[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const { method = '', url = '', headers } = request
    const { status, body } = answer(url)
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body))
    calls.push({ method, url, headers, body: text ? JSON.parse(text) : undefined })
    server.emit('called')
  })

  function answer(url: string): Answer {
    if (url.endsWith('/v1/continue_inspection'))
      return inspections.shift() ?? { status: 202, body: { uuid: NODE_UUID } }
    if (url.replace(/^\/agent\/~x/, '') === '/')
      return roots.shift() ?? { status: 200, body: { default_version: { id: 'v1', version } } }
    if (url.startsWith('/v1/heartbeat/')) return heartbeats.shift() ?? { status: 202 }
    if (!url.startsWith('/v1/lookup?')) return { status: 404 }
    return lookups.shift() ?? { status: 200, body: lookupBody(token, node, config) }
  }

  const named = (path: string) => calls.filter(({ url }) => url.replace(/\?.*/, '') === path)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    calls,
    named,
    async heartbeat(number) {
      const signal = AbortSignal.timeout(DEADLINE_MS)
      for (;;) {
        const call = named(`/v1/heartbeat/${NODE_UUID}`)[number - 1]
        if (call) return call.body as HeartbeatBody
        await once(server, 'called', { signal })
      }
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export function lookupBody(token: string, node: Record<string, unknown> = {}, config: Record<string, unknown> = {}) {
  return {
    node: { uuid: NODE_UUID, properties: {}, instance_info: {}, driver_internal_info: {}, links: [], ...node },
    config: {
      heartbeat_timeout: 300,
      agent_token: token,
      agent_token_required: true,
      agent_md5_checksum_enable: true,
      tls_min_version: '1.2',
      ...config,
    },
  }
}

/** Ironic's own form of an error: JSON inside JSON. */
export const fault = (status: number, faultstring: string): Answer => ({
  status,
  body: { error_message: JSON.stringify({ faultcode: 'Client', faultstring, debuginfo: null }) },
})

export type AgentAnswer = { status: number; body: Record<string, unknown> }

/** Calls an agent at the address and with the certificate of its heartbeat, and nothing else. */
export function callAgent(
  { callback_url, agent_verify_ca }: HeartbeatBody,
  method: 'GET' | 'POST',
  path: string,
  body?: string,
): Promise<AgentAnswer> {
  return new Promise((resolve, reject) => {
    const options = { method, ca: agent_verify_ca, minVersion: 'TLSv1.3', agent: false, timeout: DEADLINE_MS } as const
    const request = httpsRequest(`${callback_url}${path}`, options, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> })
    })
    request.on('error', reject)
    request.on('timeout', () => request.destroy(new Error('the agent does not answer')))
    request.end(body)
  })
}
