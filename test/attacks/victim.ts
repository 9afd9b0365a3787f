/** A server that nobody is to connect to: counts connections, not only requests, and has something to tell. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Victim = {
  port: number
  readonly connections: number
  readonly requests: number
}
type After = { after(end: () => void): void }

/** Of no word that a message has. */
export const SECRET = 'qXz7vKw2jPn4bTy9hRm3cLf6'

/** @param host  an address of this machine */
export async function startVictim(
  t: After,
  host = '127.0.0.1',
  answer: RequestListener = (_, response) => void response.end(SECRET),
  port = 0,
): Promise<Victim> {
  let requests = 0
  let connections = 0
  const server = createServer((request, response) => {
    requests++
    answer(request, response)
  })
  server.on('connection', () => {
    connections++
  })
  server.listen(port, host)
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections
    },
    get requests() {
      return requests
    },
  }
}
