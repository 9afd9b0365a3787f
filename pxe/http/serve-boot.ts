/**
 * The HTTP face of network boot: sends scripts and files to machines, and logs each. handle-boot.ts decides what a
 * machine gets.
 */
import { open } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { plainAddress } from '@appliance/ground/plain-address'
import { type Sent, sendFile } from '@appliance/ground/send-file'
import type { SendRoom } from '@appliance/ground/send-room'
import type { PxeConfig, PxeLog } from '../config.ts'
import { type BootAnswer, type BootSources, handleBoot } from '../handle-boot.ts'
import { overlaid } from '../iso/overlaid.ts'

export type BootServer = BootSources & {
  config: PxeConfig
  log: PxeLog
  room: SendRoom
  /** Called for each boot that this box refuses and will go on refusing. */
  onRefused?: (node: string, reason: string) => void
  /** Called for each chunk of a file that goes out. */
  onBytes?: (bytes: number) => void
}

/** Answers and returns true; false when the path is none of boot's. Throws what machineBootOf throws. */
export async function serveBoot(
  request: IncomingMessage,
  response: ServerResponse,
  server: BootServer,
): Promise<boolean> {
  const answer = await handleBoot({ path: request.url ?? '/', address: ipOf(request) }, server.config, server)
  if (answer === undefined) return false
  if (answer.kind === 'script') sendScript(answer, request, response, server)
  else if (answer.kind === 'bytes') sendBytes(answer, request, response, server)
  else if (answer.kind === 'iso') await sendIso(answer, request, response, server)
  else await sendBootFile(answer, request, response, server)
  return true
}

type Script = Extract<BootAnswer, { kind: 'script' }>
type Bytes = Extract<BootAnswer, { kind: 'bytes' }>
type BootFile = Extract<BootAnswer, { kind: 'file' }>

function sendScript(
  { text, machine, lasts }: Script,
  request: IncomingMessage,
  response: ServerResponse,
  { log, onRefused }: BootServer,
): void {
  response.writeHead(200, {
    'content-type': 'text/plain; charset=us-ascii',
    'content-length': Buffer.byteLength(text),
    // What a machine is to boot may be another thing a second later.
    'cache-control': 'no-store',
  })
  if (request.method === 'HEAD') return void response.end()
  response.end(text)
  if (machine === undefined) log.debug('first boot script served', { ip: ipOf(request) })
  else log[machine.refused === undefined ? 'info' : 'warn']('boot script served', { ...machine, ip: ipOf(request) })
  if (lasts && machine?.node !== undefined && machine.refused !== undefined) onRefused?.(machine.node, machine.refused)
}

function sendBytes(
  { content, machine }: Bytes,
  request: IncomingMessage,
  response: ServerResponse,
  { log, onBytes }: BootServer,
): void {
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': content.length,
    'cache-control': 'no-store',
  })
  if (request.method === 'HEAD') return void response.end()
  response.end(content)
  onBytes?.(content.length)
  log.info('machine files served', { ...machine, bytes: content.length, ip: ipOf(request) })
}

/** BMCs take it in pieces, over the whole boot: each is a request of its own. */
async function sendIso(
  { name, iso, node }: Extract<BootAnswer, { kind: 'iso' }>,
  request: IncomingMessage,
  response: ServerResponse,
  { log, room, onBytes }: BootServer,
): Promise<void> {
  await using file = await open(iso.path)
  const { size_bytes, etag, overlays } = iso
  const headers = { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' }
  const sent = await sendFile(overlaid(file, overlays), request, response, { size_bytes, etag, headers, room, onBytes })
  if (sent.range === undefined) return
  const fields = { ip: ipOf(request), node, name, bytes: sent.bytes, start: sent.range.start }
  if (sent.whole) log.info('deploy ISO served', fields)
  else log.debug('deploy ISO not taken whole', fields)
}

async function sendBootFile(
  { name, path }: BootFile,
  request: IncomingMessage,
  response: ServerResponse,
  { log, room, onBytes }: BootServer,
): Promise<void> {
  const ip = ipOf(request)
  const began = performance.now()
  const sent = await sendPath(path, request, response, { room, onBytes }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || response.headersSent) throw error
    log.warn('boot file is missing', { ip, name, path })
    response.writeHead(404, { 'content-type': 'text/plain' }).end(`${name} is missing on the appliance\n`)
    return undefined
  })
  if (sent?.range === undefined) return
  const fields = { ip, name, bytes: sent.bytes, duration_s: Math.round(performance.now() - began) / 1000 }
  if (sent.whole) log.info('boot file served', fields)
  else log.warn('boot file not taken whole', { ...fields, ...(sent.isTooSlow && { too_slow: true }) })
}

/** @throws the error of opening or reading the file as it is (ENOENT, EIO, ...) */
async function sendPath(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  given: Pick<BootServer, 'room' | 'onBytes'>,
): Promise<Sent> {
  await using file = await open(path)
  const status = await file.stat({ bigint: true })
  if (!status.isFile()) throw Object.assign(new Error(`${path} is no file`), { code: 'ENOENT' })
  const { size, mtimeNs, ino } = status
  const etag = `"${size.toString(16)}-${mtimeNs.toString(16)}-${ino.toString(16)}"`
  return await sendFile(file, request, response, { size_bytes: Number(size), etag, ...given })
}

const ipOf = ({ socket }: IncomingMessage) => plainAddress(socket.remoteAddress ?? '')
