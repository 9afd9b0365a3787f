/**
 * As much of keystone as a client needs before it asks for bare metal: a token for whoever comes, and a catalogue with
 * one service in it. Checks nobody: what is tested stands behind it, and takes no tokens.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Any number of any kind that keystone gives. */
const ID = 'a3'.repeat(16)
const REGION = 'RegionOne'
const LIFETIME_MS = 86_400_000

/** @param api  of the bare metal service, without a slash at the end. @returns the address of its version 3 */
export async function startKeystone(t: { after(end: () => unknown): void }, api: string): Promise<string> {
  const server = createServer((request, response) => answer(request, response, api))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3`
}

function answer(request: IncomingMessage, response: ServerResponse, api: string): void {
  const tell = (status: number, body: object, headers = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  const self = `http://${request.headers.host}/v3`
  request.resume()
  if (request.method === 'POST' && request.url === '/v3/auth/tokens') {
    return void tell(201, { token: tokenFor(api, self) }, { 'x-subject-token': ID })
  }
  if (request.url === '/' || request.url === '/v3' || request.url === '/v3/') {
    const version = { id: 'v3.14', status: 'stable', links: [{ rel: 'self', href: `${self}/` }] }
    return void tell(
      request.url === '/' ? 300 : 200,
      request.url === '/' ? { versions: { values: [version] } } : { version },
    )
  }
  tell(404, { error: { code: 404, title: 'Not Found', message: `${request.method} ${request.url} is not here.` } })
}

function tokenFor(api: string, keystone: string) {
  const domain = { id: 'default', name: 'Default' }
  const service = (type: string, name: string, url: string) => ({
    ...{ id: ID, type, name },
    endpoints: ['public', 'internal', 'admin'].map((kind) => ({
      ...{ id: ID, interface: kind, region: REGION, region_id: REGION, url },
    })),
  })
  return {
    methods: ['password'],
    user: { id: ID, name: 'admin', domain, password_expires_at: null },
    project: { id: ID, name: 'admin', domain },
    roles: ['admin', 'member', 'reader'].map((name) => ({ id: ID, name })),
    catalog: [service('baremetal', 'ironic', api), service('identity', 'keystone', keystone)],
    issued_at: new Date().toISOString(),
    expires_at: new Date(Date.now() + LIFETIME_MS).toISOString(),
    audit_ids: [ID],
    is_domain: false,
  }
}
