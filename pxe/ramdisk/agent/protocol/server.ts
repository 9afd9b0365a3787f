/** The agent's API (ironic-python-agent's): status, commands. Every call but status needs the token. */
import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { SecureVersion } from 'node:tls'
import { AgentError, messageOf } from '../errors.ts'
import type { Certificate } from './certificate.ts'
import type { Commands, Params } from './commands.ts'
import { readLimited, TooLarge } from './http.ts'

export type ServerOptions = {
  /** undefined: all addresses. */
  host: string | undefined
  port: number
  /** undefined: plain HTTP, for an Ironic that does not know agents' certificates. */
  certificate: Certificate | undefined
  minVersion: SecureVersion
  token(): string | undefined
  commands: Commands
  status(): { started_at: number; version: string }
}
export type AgentServer = { port: number; close(): Promise<void> }

/** A config drive of 64 MiB in base64, and room for the rest. */
const BODY_LIMIT_BYTES = 96 * 1024 * 1024
const HEADERS_TIMEOUT_MS = 10_000
const DOCS = 'https://docs.openstack.org/ironic-python-agent'

class HttpError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export async function startServer(options: ServerOptions): Promise<AgentServer> {
  const { certificate, host, port, minVersion } = options
  const listener = (request: IncomingMessage, response: ServerResponse) => void answer(request, response, options)
  const server: Server = certificate
    ? createTlsServer({ cert: certificate.certificate, key: certificate.key, minVersion }, listener)
    : createServer(listener)
  server.headersTimeout = HEADERS_TIMEOUT_MS
  // Whoever asks with wait=true is answered when the command has ended.
  server.requestTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<void> {
  try {
    send(response, 200, await route(request, options))
  } catch (error) {
    const status = error instanceof HttpError ? error.status : error instanceof AgentError ? error.code : 500
    send(response, status, { faultcode: status >= 500 ? 'Server' : 'Client', faultstring: messageOf(error) })
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function route(request: IncomingMessage, options: ServerOptions): Promise<unknown> {
  if (!URL.canParse(request.url ?? '/', 'http://agent'))
    throw new HttpError(400, '400 Bad Request: The address is none')
  const url = new URL(request.url ?? '/', 'http://agent')
  const root = `${options.certificate ? 'https' : 'http'}://${request.headers.host ?? 'agent'}`
  // The version may be left out, and a slash at the end makes no difference.
  const path = url.pathname.replace(/\/+$/, '').replace(/^\/v1(?=\/)/, '')
  if (path === '' || path === '/v1') return onlyGet(request, path === '' ? rootOf(root) : versionOf(root))
  if (path === '/status') return onlyGet(request, options.status())
  const [, word, id, ...rest] = path.split('/')
  if (word !== 'commands' || rest.length > 0)
    throw new HttpError(404, '404 Not Found: The requested URL was not found.')
  const wait = /^true$/i.test(url.searchParams.get('wait') ?? '')
  checkToken(url.searchParams.get('agent_token'), options.token())
  if (id !== undefined) return onlyGet(request, await options.commands.get(id, wait))
  if (request.method === 'POST') {
    const { name, params } = await readCommand(request)
    return options.commands.execute(name, params, wait)
  }
  return onlyGet(request, { commands: options.commands.list() })
}

function onlyGet<T>(request: IncomingMessage, body: T): T {
  if (request.method === 'GET' || request.method === 'HEAD') return body
  throw new HttpError(405, '405 Method Not Allowed: The method is not allowed for the requested URL.')
}

/** Without a token of its own the agent takes no command from anyone. */
function checkToken(given: string | null, own: string | undefined): void {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(own ?? '')]
  if (!own || a.length !== b.length || !timingSafeEqual(a, b))
    throw new HttpError(401, '401 Unauthorized: Token invalid.')
}

async function readCommand(request: IncomingMessage): Promise<{ name: string; params: Params }> {
  const bytes = await readLimited(request, BODY_LIMIT_BYTES).catch((error: unknown) => {
    throw error instanceof TooLarge ? new HttpError(413, `413 Request Entity Too Large: ${error.message}`) : error
  })
  const text = bytes.toString('utf8')
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new HttpError(400, '400 Bad Request: The body is not JSON')
  }
  const { name, params } = (body ?? {}) as { name?: unknown; params?: unknown }
  if (typeof name !== 'string' || params === null || typeof params !== 'object' || Array.isArray(params)) {
    throw new HttpError(400, '400 Bad Request: Missing or invalid name or params')
  }
  return { name, params: params as Params }
}

const link = (href: string, rel: string) => ({ href, rel })

function versionLinks(root: string) {
  return { id: 'v1', links: [link(`${root}/v1`, 'self'), { ...link(DOCS, 'describedby'), type: 'text/html' }] }
}

function rootOf(root: string) {
  return {
    name: 'OpenStack Ironic Python Agent API',
    description: 'Ironic Python Agent is a provisioning agent for OpenStack Ironic',
    versions: [versionLinks(root)],
    default_version: versionLinks(root),
  }
}

function versionOf(root: string) {
  const pair = (name: string) => [link(`${root}/v1/${name}`, 'self'), link(`${root}/${name}`, 'bookmark')]
  return {
    commands: pair('commands'),
    status: pair('status'),
    media_types: [{ base: 'application/json', type: 'application/vnd.openstack.ironic-python-agent.v1+json' }],
    ...versionLinks(root),
  }
}
