/** How many connections a server takes, of one client and of all, and how much of each one's time. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { sourceOf } from './networks.ts'

export type ConnectionLimits = {
  /** Of all clients; 0: as many as come. */
  max_connections: number
  /** Of one IPv4 address, or one IPv6 network of 64 bits; 0: as many as come. */
  max_connections_per_host: number
  /** Told of those that were cut, at most once a minute for each of both limits. */
  onRefused?: (refused: { ip: string; option: Option; limit: number }) => void
}
type Option = 'max_connections' | 'max_connections_per_host'

/** A hundred machines that pull six layers each, and whoever looks on. */
export const CONNECTION_LIMITS = { max_connections: 1000, max_connections_per_host: 200 } as const

/** Requests of one connection that wait for their answers. No client of ours sends a second before the first's. */
const PIPELINE_LIMIT = 16
const TOLD_EVERY_MS = 60_000

/** For the log of who runs the server. @param section  of the configuration, where both options are */
export const limitsOf = (
  { max_connections, max_connections_per_host }: ConnectionLimits,
  section: string,
  log: { warn(message: string, fields: Record<string, unknown>): void },
): ConnectionLimits => ({
  max_connections,
  max_connections_per_host,
  onRefused: ({ ip, option, limit }) =>
    log.warn('connections refused', { ip, limit, option: `[${section}] ${option}`, told: 'once a minute' }),
})

/** Called when the server has all its listeners, and before it listens. */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  const admit = admission(limits)
  const handlers = server.listeners('connection') as ((socket: Socket) => void)[]
  server.removeAllListeners('connection')
  // What was cut never reaches TLS and the parser.
  server.on('connection', (socket: Socket) => {
    if (admit(socket)) for (const handler of handlers) handler.call(server, socket)
  })
  limitPipelines(server)
}

function admission(limits: ConnectionLimits): (socket: Socket) => boolean {
  const open = new Map<string, number>()
  const told_at = new Map<string, number>()
  let all = 0
  const refuse = (socket: Socket, option: Option) => {
    const ip = socket.remoteAddress ?? ''
    // No FIN and no wait for the other side: it costs neither memory nor a port.
    socket.resetAndDestroy()
    if (performance.now() - (told_at.get(option) ?? Number.NEGATIVE_INFINITY) < TOLD_EVERY_MS) return false
    told_at.set(option, performance.now())
    limits.onRefused?.({ ip, option, limit: limits[option] })
    return false
  }
  return (socket) => {
    const host = sourceOf(socket.remoteAddress ?? '')
    const ofHost = open.get(host) ?? 0
    if (isOver(all, limits.max_connections)) return refuse(socket, 'max_connections')
    // A unix socket has no address: who may open it is a matter of its file.
    if (host !== '' && isOver(ofHost, limits.max_connections_per_host))
      return refuse(socket, 'max_connections_per_host')
    all++
    open.set(host, ofHost + 1)
    socket.once('close', () => {
      all--
      const left = (open.get(host) ?? 1) - 1
      if (left > 0) open.set(host, left)
      else open.delete(host)
    })
    return true
  }
}

const isOver = (count: number, limit: number) => limit > 0 && count >= limit

/** Node hands over all requests of a piece of 64 KiB in one go, some thousand of the smallest. */
function limitPipelines(server: Server): void {
  const handlers = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  const waiting = new WeakMap<Socket, number>()
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const before = waiting.get(socket) ?? 0
    if (socket.destroyed || before >= PIPELINE_LIMIT) return void socket.destroy()
    waiting.set(socket, before + 1)
    response.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1))
    for (const handler of handlers) handler.call(server, request, response)
  })
}
