/** A machine's agent as its wire shows it: a real http(s) server on loopback that answers as the test says. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { type AgentClient, type AgentClientOptions, createAgentClient } from '../../../appliance/agent/client.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { type Certificate, makeCertificate } from '../../../pxe/ramdisk/agent/protocol/certificate.ts'
import { nodeOnPaper } from '../hardware/node-on-paper.ts'
import { LOOPBACK_REACH } from '../loopback-reach.ts'

export const TOKEN = 'token-of-this-boot'
export const UUID = nodeOnPaper().uuid

type Asked = { method: string; path: string; query: Record<string, string>; body: unknown }
export type Answer = (asked: Asked, response: ServerResponse, request: IncomingMessage) => void
export type FakeAgent = { url: string; certificate: string | undefined; asked: readonly Asked[] }

/** @param certificate  what it shows on https; 'none' for plain http */
export async function startAgent(
  t: TestContext,
  answer: Answer,
  certificate: Certificate | 'none' = makeCertificate('127.0.0.1', new Date(), 'P-256'),
): Promise<FakeAgent> {
  const asked: Asked[] = []
  const listener: RequestListener = async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://agent')
    let text = ''
    for await (const chunk of request) text += chunk
    const one: Asked = {
      method: request.method ?? '',
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      body: text === '' ? undefined : JSON.parse(text),
    }
    asked.push(one)
    answer(one, response, request)
  }
  const server =
    certificate === 'none'
      ? createServer(listener)
      : createTlsServer({ cert: certificate.certificate, key: certificate.key }, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const [scheme, own] = certificate === 'none' ? ['http', undefined] : ['https', certificate.certificate]
  return { url: `${scheme}://127.0.0.1:${port}`, certificate: own, asked }
}

export const json = (response: ServerResponse, body: unknown, status = 200) => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

export const command = (name: string, status: string, more: Record<string, unknown> = {}) => ({
  id: `id of ${name}`,
  command_name: name,
  command_status: status,
  command_error: null,
  command_result: null,
  ...more,
})

/** A node as the heartbeat of this agent leaves it. */
export function nodeOf(agent: { url: string; certificate?: string | undefined }): Node {
  return nodeOnPaper({
    driver_internal_info: {
      agent_url: agent.url,
      agent_secret_token: TOKEN,
      ...(agent.certificate ? { agent_verify_ca: agent.certificate } : {}),
    },
  })
}

export function clientFor(t: TestContext, options: Partial<AgentClientOptions> = {}): AgentClient {
  const client = createAgentClient({
    command_timeout_s: 5,
    max_command_attempts: 3,
    verify_ca: 'True',
    reach: LOOPBACK_REACH,
    retry_pause_ms: 1,
    ...options,
  })
  t.after(() => client.close())
  return client
}
