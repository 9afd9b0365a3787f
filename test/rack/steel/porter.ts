/**
 * The rack's foot in its network namespace: brings calls in and out, and hears machines phone home. Decides nothing.
 * API_SOCKET (Unix) -> the appliance's API; a loopback port (told on stdout) -> CONTROL_SOCKET (Unix), for the BMCs'
 * hooks.
 */
import { execFile } from 'node:child_process'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const ADDRESS = '172.22.0.1'
const PHONE_HOME_PORT = 8099
const API_PORT = 6385
const BODY_LIMIT = 256 * 1024

const [apiSocket, controlSocket] = process.argv.slice(2)
if (!apiSocket || !controlSocket) throw new Error('usage: porter.ts API_SOCKET CONTROL_SOCKET')

const tell = (word: object) => process.stdout.write(`${JSON.stringify(word)}\n`)

function relay(from: Socket, to: Socket): void {
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const) {
    one.on('error', () => other.destroy())
    one.pipe(other)
  }
}

/** Who it is tells the bridge: the machine itself could say anything. */
function phoneHome(ip: string, path: string, body: string): void {
  const time = new Date().toISOString()
  execFile('ip', ['-json', 'neigh', 'show', ip], { timeout: 5_000 }, (_error, stdout) => {
    const mac: string | undefined = JSON.parse(stdout || '[]')[0]?.lladdr
    tell({ event: 'phone-home', time, ip, mac, path, body })
  })
}

async function readBody(request: AsyncIterable<Buffer>): Promise<string> {
  let body = ''
  for await (const chunk of request) body = (body + chunk).slice(0, BODY_LIMIT)
  return body
}

createHttpServer(async (request, response) => {
  const path = (request.url ?? '/').slice(0, 500)
  if (!path.startsWith('/phone-home')) return void response.writeHead(404).end()
  // One that is cut in the middle is sent again.
  const body = await readBody(request).catch(() => undefined)
  if (body === undefined) return
  phoneHome((request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''), path, body)
  response.writeHead(200, { 'content-type': 'text/plain' }).end('welcome\n')
}).listen(PHONE_HOME_PORT, ADDRESS, () => {
  createServer((socket) => relay(socket, connect(API_PORT, ADDRESS))).listen(apiSocket, () => {
    const hooks = createServer({ allowHalfOpen: true }, (socket) => relay(socket, connect(controlSocket)))
    hooks.listen(0, '127.0.0.1', () => tell({ event: 'ready', hook_port: (hooks.address() as AddressInfo).port }))
  })
})
