/**
 * Answers machines that fetch their image: whole or in part, compressed when they ask for it. Reads only what a node is
 * linked to.
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { leadsNowhere } from '@appliance/ground/errno'
import { plainAddress } from '@appliance/ground/plain-address'
import { sendFile } from '@appliance/ground/send-file'
import { SendRoom } from '@appliance/ground/send-room'
import type { Log } from '../../log.ts'
import type { Cache } from '../cache/cache.ts'
import { type Encoding, type Entry, fileOf } from '../cache/entry.ts'
import { fileName, type Links, nodeOfLink } from '../cache/links.ts'
import { bootImagesOf } from '../format/boot-catalogue.ts'
import type { Door } from '../images.ts'
import type { GzipMaker } from './gzip-maker.ts'
import { chooseEncoding } from './negotiate.ts'

export type ImageServerOptions = {
  /** [deploy] http_image_subdir, without slashes around it. */
  subdir: string
  http_url(): string
  links: Pick<Links, 'get'>
  cache: Pick<Cache, 'find' | 'hold'>
  gzip: Pick<GzipMaker, 'make'>
  log: Log
  ready: Promise<void>
  door: Pick<Door, 'mayFetch'> | undefined
  onBytes: ((bytes: number) => void) | undefined
}
type Form = {
  encoding: Encoding
  size_bytes: number
  etag: string
  format: Entry['format']
  /** Where in the file it begins; 0 when left out. */
  start_bytes?: number
}

/** @returns whether the path was an image's */
export function createImageServer(options: ImageServerOptions) {
  const room = new SendRoom()
  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const link = linkOf(request.url ?? '', options)
    if (link === undefined) return false
    await options.ready
    const { name, as, isFloppy } = link
    const key = await options.links.get(name)
    if (key === undefined) return false
    const node = nodeOfLink(name)
    const address = plainAddress(request.socket.remoteAddress ?? '')
    if (options.door && !(await options.door.mayFetch(node, link.key, address))) return false
    if (as !== undefined && name !== fileName(node, key, as)) return false
    using _held = options.cache.hold(key)
    const entry = await options.cache.find(key)
    const whole = entry && (isFloppy ? plainForm(entry) : chooseForm(request, entry, options))
    const file = whole && (await openIfThere(fileOf(entry.folder, whole.encoding)))
    if (whole === undefined || file === undefined) {
      response
        .writeHead(404, { 'content-type': 'text/plain' })
        .end(`the image of node ${node} is not in the cache any more\n`)
      options.log.error('image of a node is gone from the cache', { node, key })
      return true
    }
    try {
      const form = isFloppy ? await floppyForm(file, whole) : whole
      if (form === undefined) response.writeHead(404, { 'content-type': 'text/plain' }).end('no floppy disk is in it\n')
      else await answer({ request, response, node, file, form, room }, options)
    } finally {
      await file.close()
    }
    return true
  }
}

type Link = { key: string | undefined; name: string; as: string | undefined; isFloppy: boolean }

/**
 * /<path of http_url>/<subdir>[/<key>]/<name of the link>[.floppy][/<how the file is called>]; the path of http_url
 * may have been taken away by a proxy.
 */
function linkOf(url: string, { subdir, http_url }: ImageServerOptions): Link | undefined {
  const [path = ''] = url.split(/[?#]/, 1)
  const base = new URL(http_url()).pathname.replace(/\/+$/, '')
  const rest = base !== '' && path.startsWith(`${base}/`) ? path.slice(base.length) : path
  if (!rest.startsWith(`/${subdir}/`)) return undefined
  const [, key, its = ''] = /^(?:(~[\w-]+)\/)?(.*)$/s.exec(rest.slice(subdir.length + 2)) ?? []
  const [name = '', ...as] = its.split('/')
  const [, bare = '', floppy] = /^(.*?)(\.floppy)?$/i.exec(name) ?? []
  return { key, name: bare.toLowerCase(), isFloppy: floppy !== undefined, as: as.length > 0 ? as.join('/') : undefined }
}

function chooseForm(request: IncomingMessage, entry: Entry, { gzip }: ImageServerOptions): Form {
  const header = request.headers['accept-encoding']
  const { encoding, wantsGzip } = chooseEncoding(
    Array.isArray(header) ? header.join() : header,
    entry.variants.map((variant) => variant.encoding),
  )
  const variant = entry.variants.find((one) => one.encoding === encoding)
  if (wantsGzip && encoding === 'identity') gzip.make(entry)
  if (!variant) return plainForm(entry)
  const { size_bytes, checksum } = variant
  return { encoding, size_bytes, format: entry.format, etag: etagOf(checksum, `-${encoding}`) }
}

const plainForm = ({ size_bytes, checksum, format }: Entry): Form => ({
  encoding: 'identity',
  ...{ size_bytes, format, etag: etagOf(checksum, '') },
})
const etagOf = ({ algorithm, value }: Entry['checksum'], end: string) => `"${algorithm}-${value}${end}"`

/** The disk that an ISO has a BIOS take for a floppy: a part of the file. @returns undefined: it has none */
async function floppyForm(file: FileHandle, iso: Form): Promise<Form | undefined> {
  const images = await bootImagesOf(file, iso.size_bytes)
  const floppy = images.find(({ firmware, emulates }) => firmware === 'bios' && emulates === 'floppy')
  if (!floppy) return undefined
  const { start_bytes, size_bytes } = floppy
  return { ...iso, start_bytes, size_bytes, etag: iso.etag.replace(/"$/, '-floppy"') }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return open(path, 'r').catch((error) => {
    if (leadsNowhere(error)) return undefined
    throw error
  })
}

type Answering = {
  request: IncomingMessage
  response: ServerResponse
  node: string
  file: FileHandle
  form: Form
  room: SendRoom
}

async function answer(
  { request, response, node, file, form, room }: Answering,
  options: ImageServerOptions,
): Promise<void> {
  const { size_bytes, start_bytes = 0, etag, encoding, format } = form
  const started = performance.now()
  const { range, bytes, isTooSlow, whole } = await sendFile(file, request, response, {
    ...{ size_bytes, start_bytes, etag },
    headers: { vary: 'accept-encoding', ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }) },
    ...{ room, onBytes: options.onBytes },
  })
  if (range === undefined) return
  const fields = { node, bytes, duration_s: Math.round(performance.now() - started) / 1000, encoding }
  if (whole) {
    const isToTheEnd = range.end === size_bytes - 1
    if (format === 'file' && (range.start > 0 || !isToTheEnd)) {
      // An ISO is read like a drive, in thousands of pieces.
      options.log.debug('part of a file served', { ...fields, start: range.start })
      return
    }
    options.log.info(isToTheEnd ? 'image served' : 'part of an image served', { ...fields, start: range.start })
    return
  }
  // The client went away or was cut, or the disk gave less than it had said.
  options.log.warn('image transfer cut', {
    ...fields,
    ...(isTooSlow && { too_slow: true }),
    of: range.end - range.start + 1,
  })
}
