/** A client that costs little, so that servers are measured and not it: bare sockets, one buffer for each. */

import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'

export type Target = { port: number; path: string }

const BUFFER_BYTES = 1024 * 1024
const OK = Buffer.from('HTTP/1.1 200')
const ACCEPT = 'application/vnd.oci.image.manifest.v1+json'

const head = ({ port, path }: Target, connection: string) =>
  `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\naccept: ${ACCEPT}\r\nconnection: ${connection}\r\n\r\n`

/** @returns bytes that came, head and all */
export const fetchOnce = async (target: Target): Promise<number> => (await fetchTimed(target)).bytes

/** `first_s`: until the first byte behind the head of the answer. */
export function fetchTimed(target: Target): Promise<{ bytes: number; first_s: number; last_s: number }> {
  return new Promise((resolve, reject) => {
    const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
    const began = performance.now()
    const since = () => (performance.now() - began) / 1000
    let bytes = 0
    let head_bytes = 0
    let first_s = Number.NaN
    const callback = (count: number) => {
      if (bytes === 0) {
        checkOk(socket, buffer, target)
        head_bytes = buffer.subarray(0, count).indexOf('\r\n\r\n') + 4
      }
      bytes += count
      if (Number.isNaN(first_s) && bytes > head_bytes) first_s = since()
      return true
    }
    const socket = connect({ host: '127.0.0.1', port: target.port, onread: { buffer, callback } })
    socket.once('error', reject).once('close', () => resolve({ bytes, first_s, last_s: since() }))
    socket.write(head(target, 'close'))
  })
}

/**
 * One request after the other on one connection, until `until` on the clock of performance.now().
 * @param answer_bytes  of each answer, head and all: they are all of the same length
 * @returns how long each took
 */
export function askAgain(target: Target, answer_bytes: number, until: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const buffer = Buffer.allocUnsafe(64 * 1024)
    const text = head(target, 'keep-alive')
    const took_ms: number[] = []
    let missing = answer_bytes
    let asked = performance.now()
    const callback = (count: number) => {
      if (missing === answer_bytes) checkOk(socket, buffer, target)
      missing -= count
      if (missing > 0) return true
      const now = performance.now()
      took_ms.push(now - asked)
      if (now >= until) socket.destroy()
      else {
        missing = answer_bytes
        asked = now
        socket.write(text)
      }
      return true
    }
    const socket = connect({ host: '127.0.0.1', port: target.port, noDelay: true, onread: { buffer, callback } })
    socket.once('error', reject).once('close', () => resolve(took_ms))
    socket.write(text)
  })
}

/** @returns bytes of an answer to a request that keeps its connection */
export function answerBytes(target: Target): Promise<number> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect({ host: '127.0.0.1', port: target.port }, () => socket.write(head(target, 'keep-alive')))
    socket.once('error', reject)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const all = Buffer.concat(chunks)
      const end = all.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(all.subarray(0, end).toString())?.[1])
      if (end < 0 || all.length < end + 4 + length) return
      socket.destroy()
      resolve(end + 4 + length)
    })
  })
}

function checkOk(socket: Socket, buffer: Buffer, { path }: Target): void {
  if (!buffer.subarray(0, OK.length).equals(OK))
    socket.destroy(new Error(`${path}: answer ${buffer.subarray(0, 40).toString()}`))
}

/** POST, then all of it in one PUT: what most clients do. */
export async function pushBlob(
  port: number,
  name: string,
  { digest, content }: { digest: string; content: readonly Buffer[] },
) {
  const size = content.reduce((sum, { length }) => sum + length, 0)
  const { location } = await send(port, 'POST', `/v2/${name}/blobs/uploads/`, { expected: 202 })
  const { pathname, search } = new URL(String(location), `http://127.0.0.1:${port}`)
  const put = `${pathname}${search}${search ? '&' : '?'}digest=${encodeURIComponent(digest)}`
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(size) }
  await send(port, 'PUT', put, { expected: 201, headers, content })
}

export async function send(
  port: number,
  method: string,
  path: string,
  {
    expected,
    headers = {},
    content = [],
  }: { expected: number; headers?: Record<string, string>; content?: readonly Buffer[] },
) {
  const asked = request({ host: '127.0.0.1', port, method, path, headers })
  const answered = once(asked, 'response')
  for (const chunk of content) if (!asked.write(chunk)) await once(asked, 'drain')
  asked.end()
  const [response] = await answered
  response.resume()
  if (response.statusCode !== expected) throw new Error(`${method} ${path} was answered with ${response.statusCode}`)
  return response.headers as Record<string, string | undefined>
}
