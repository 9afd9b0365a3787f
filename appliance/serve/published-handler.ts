/** GET /nodes/<uuid>/<key>/<name> on the rack's side: a text that a plugin published for one machine. */
import { plainAddress } from '@appliance/ground/plain-address'
import type { ConductorService } from '../conductor/start.ts'
import type { Log } from '../log.ts'
import type { RackHandler } from '../rack-server.ts'

export const publishedHandler =
  ({ publishedText, mayFetch }: Pick<ConductorService, 'publishedText' | 'mayFetch'>, log: Log): RackHandler =>
  async (request, response) => {
    const found = publishedText(request.url?.split('?')[0] ?? '')
    if (found === undefined) return false
    if (!(await mayFetch(found.node, plainAddress(request.socket.remoteAddress ?? '')))) return false
    const { node, name, text } = found
    const content = Buffer.from(text)
    const headers = {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': content.length,
      'cache-control': 'no-store',
    }
    response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : content)
    log.info('published text served', { node, name, bytes: content.length })
    return true
  }
