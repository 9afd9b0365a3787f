/**
 * An upstream that lets nobody in without who it knows: by Basic, or by tokens from a service of its own. In front of
 * a real registry.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export type Guarded = {
  readonly url: string
  readonly port: number
  /** `METHOD path` and what was in Authorization. */
  readonly asked: { line: string; authorization: string | undefined }[]
  /** All tokens given until now are worth nothing. */
  revoke(): void
}
export type Guard = {
  scheme: 'basic' | 'bearer'
  /** USER:PASSWORD; undefined: tokens for everybody. */
  user?: string
  expires_in?: number
  /** That the challenge sends clients to for a token; 127.0.0.1 when left out. */
  realm_host?: string
  /** Blobs are to be had from there, without any Authorization. */
  redirectTo?: () => number
}

export async function guardedUpstream(
  t: Pick<TestContext, 'after'>,
  upstreamPort: () => number,
  guard: Guard,
): Promise<Guarded> {
  const asked: Guarded['asked'] = []
  const tokens = new Map<string, string>()
  const server = createServer((incoming, response) => {
    const { method = '', url = '', headers } = incoming
    asked.push({ line: `${method} ${url}`, authorization: headers.authorization })
    answer(incoming, response).catch(() => response.destroy())
  })
  const port = () => (server.address() as AddressInfo).port
  const isUser = (authorization: string | undefined) =>
    guard.user === undefined || authorization === `Basic ${Buffer.from(guard.user).toString('base64')}`

  function giveToken(query: URLSearchParams, incoming: IncomingMessage, response: ServerResponse) {
    if (!isUser(incoming.headers.authorization)) return response.writeHead(401).end()
    const token = `token-${tokens.size + 1}-${Math.random().toString(36).slice(2)}`
    tokens.set(`Bearer ${token}`, query.get('scope') ?? '')
    const { expires_in = 300 } = guard
    return response.end(JSON.stringify({ token, expires_in }))
  }

  async function answer(incoming: IncomingMessage, response: ServerResponse) {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://upstream')
    if (pathname === '/token') return giveToken(searchParams, incoming, response)
    const { authorization = '' } = incoming.headers
    const repository = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(pathname)?.[1]
    const isIn =
      guard.scheme === 'basic' ? isUser(authorization) : tokens.get(authorization) === `repository:${repository}:pull`
    const challenge =
      guard.scheme === 'basic'
        ? 'Basic realm="upstream"'
        : `Bearer realm="http://${guard.realm_host ?? '127.0.0.1'}:${port()}/token",service="upstream.example",scope="repository:${repository}:pull"`
    if (!isIn) return response.writeHead(401, { 'www-authenticate': challenge }).end('{}')
    if (guard.redirectTo && pathname.includes('/blobs/'))
      return response.writeHead(307, { location: `http://127.0.0.1:${guard.redirectTo()}${incoming.url}` }).end()
    const forwarded = request({
      host: '127.0.0.1',
      port: upstreamPort(),
      method: incoming.method,
      path: incoming.url,
    }).end()
    const [got] = (await once(forwarded, 'response')) as [IncomingMessage]
    response.writeHead(got.statusCode ?? 500, got.headers)
    return got.pipe(response)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${port()}`, port: port(), asked, revoke: () => tokens.clear() }
}
