/** One file over HTTP at the speed of the wire: Range, ETag, HEAD. Knows nothing of boot. */
import { type FileHandle, open } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Two of them for each transfer: one is filled while the other is on its way. */
const BUFFER_BYTES = 256 * 1024

export type Sent = {
  status: number
  /** Of the body, as they were handed to the connection. */
  bytes: number
  /** False when the client went away before the end. */
  whole: boolean
}

/** @throws the error of opening or reading the file as it is (ENOENT, EIO, ...) */
export async function sendFile(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  onBytes: (bytes: number) => void = () => {},
): Promise<Sent> {
  await using file = await open(path)
  const status = await file.stat({ bigint: true })
  if (!status.isFile()) throw Object.assign(new Error(`${path} is no file`), { code: 'ENOENT' })
  const { size, mtimeNs, ino } = status
  const etag = `"${size.toString(16)}-${mtimeNs.toString(16)}-${ino.toString(16)}"`
  const headers = { etag, 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream' }
  const answer = (status: number, more: Record<string, string> = {}): Sent => {
    response.writeHead(status, { ...headers, ...more }).end()
    return { status, bytes: 0, whole: true }
  }
  if (isNamed(request.headers['if-none-match'], etag)) return answer(304)
  const range = wantedRange(request, etag, Number(size))
  if (range === 'unsatisfiable') return answer(416, { 'content-range': `bytes */${size}`, 'content-length': '0' })
  const { start, end } = range ?? { start: 0, end: Number(size) - 1 }
  const length = { 'content-length': String(end - start + 1) }
  const part = range && { 'content-range': `bytes ${start}-${end}/${size}` }
  const code = range ? 206 : 200
  if (request.method === 'HEAD') return answer(code, { ...length, ...part })
  response.writeHead(code, { ...headers, ...length, ...part })
  return { status: code, ...(await sendBody(file, { start, end }, response, onBytes)) }
}

/** RFC 9110 section 13.1.2. */
const isNamed = (header: string | undefined, etag: string) =>
  header !== undefined &&
  (header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag))

type Range = { start: number; end: number }

/** RFC 9110 section 14.2: a range that is not understood, or several, may be left unheeded: then the whole file is sent. */
function wantedRange({ headers }: IncomingMessage, etag: string, size: number): Range | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range ?? '') ?? []
  if (first === '' && last === '') return undefined
  if (headers['if-range'] !== undefined && headers['if-range'] !== etag) return undefined
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (first !== '' && last !== '' && Number(last) < start) return undefined
  return start > end ? 'unsatisfiable' : { start, end }
}

async function sendBody(
  file: FileHandle,
  { start, end }: Range,
  response: ServerResponse,
  onBytes: (bytes: number) => void,
): Promise<Pick<Sent, 'bytes' | 'whole'>> {
  const gone = new Promise<void>((resolve) => response.once('close', resolve))
  const buffers = [Buffer.allocUnsafeSlow(BUFFER_BYTES), Buffer.allocUnsafeSlow(BUFFER_BYTES)]
  let onItsWay: Promise<unknown> = Promise.resolve()
  let at = start
  for (let turn = 0; at <= end && !response.destroyed; turn++) {
    const buffer = buffers[turn % 2] as Buffer
    const { bytesRead } = await file.read(buffer, 0, Math.min(BUFFER_BYTES, end - at + 1), at)
    // The file has become shorter: the client must not take what it has for the whole.
    if (bytesRead === 0) response.destroy()
    await onItsWay
    if (response.destroyed) break
    onItsWay = Promise.race([gone, written(response, buffer.subarray(0, bytesRead))])
    at += bytesRead
    onBytes(bytesRead)
  }
  await onItsWay
  const whole = !response.destroyed && at > end
  if (whole) response.end()
  return { bytes: at - start, whole }
}

/** Taken over by the system; an error shows in `close`. */
const written = (response: ServerResponse, chunk: Buffer) =>
  new Promise<void>((resolve) => response.write(chunk, () => resolve()))
