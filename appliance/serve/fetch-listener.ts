/**
 * A handler in the terms of fetch, as a listener for Node's server. What stands between them is read with the first
 * request: it makes Node load its own fetch, which is a tenth of the processor time of a start.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { getRequestListener } from '@hono/node-server'

export type Fetch = Parameters<typeof getRequestListener>[0]
type Listener = ReturnType<typeof getRequestListener>

/** @param hostname  stands for the Host header, which HTTP/1.0 does not have */
export function fetchListener(fetch: Fetch, hostname: string) {
  let reading: Promise<Listener> | undefined
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    reading ??= import('@hono/node-server').then(({ getRequestListener }) => getRequestListener(fetch, { hostname }))
    const listener = await reading
    await listener(request, response)
  }
}
