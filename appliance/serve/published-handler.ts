/** GET /nodes/<uuid>/<key>/<name> on the rack's side: a text that a plugin published for one machine. */
import type { ConductorService } from '../conductor/start.ts'
import type { Log } from '../log.ts'
import type { RackHandler } from '../rack-server.ts'

export const publishedHandler =
  ({ publishedText }: Pick<ConductorService, 'publishedText'>, log: Log): RackHandler =>
  async (request, response) => {
    const found = publishedText(request.url?.split('?')[0] ?? '')
    if (found === undefined) return false
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
