/** Serves GET /ca.crt on the rack's side, which machines need to trust the registry mirror. */
import type { RackHandler } from '../rack-server.ts'
import { CA_PATH, CA_TYPE } from '../web/operations.ts'

/** @param ca  PEM; undefined: no CA has to be trusted */
export const caHandler =
  (ca: () => string | undefined): RackHandler =>
  async (request, response) => {
    const certificate = ca()
    if (certificate === undefined || request.url?.split('?')[0] !== CA_PATH) return false
    const headers = { 'content-type': CA_TYPE, 'content-length': Buffer.byteLength(certificate) }
    response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : certificate)
    return true
  }

/** Two servers may have two: clients are to trust either. */
export function casOf(...found: readonly (string | undefined)[]): string | undefined {
  // A file may end without the newline that the next one has to begin after.
  const all = new Set(found.flatMap((ca) => (ca === undefined ? [] : [`${ca.trimEnd()}\n`])))
  return all.size === 0 ? undefined : [...all].join('')
}
