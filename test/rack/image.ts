/**
 * The image to deploy: our own small Debian, a file, or a URL that is fetched once. Looks at its content, never at
 * its name.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { cacheFolder, sha256Of, type Tell } from './cache.ts'
import { ensureOsImage } from './os-image/build.ts'

export type Image = {
  path: string
  format: 'raw' | 'qcow2'
  /** Of the disk that it describes. */
  virtual_bytes: number
  sha256: string
  /** Ours: it takes its host name from the config drive. */
  isOwn: boolean
}
type Progress = (done: number, total: number | undefined) => void

/** The image cannot be used; the message says what was found and what is wanted. */
export class ImageError extends Error {}

const SILENCE_LIMIT_MS = 60_000

/** @param source  a file or URL; our own image when undefined. @throws ImageError */
export async function prepareImage(
  source: string | undefined,
  signal: AbortSignal,
  progress: Progress,
  tell?: Tell,
): Promise<Image> {
  if (source === undefined) {
    const own = await ensureOsImage(signal, tell)
    return { path: own.raw, format: 'raw', virtual_bytes: own.size_bytes, sha256: own.sha256, isOwn: true }
  }
  const path = /^https?:\/\//.test(source) ? await fetchImage(new URL(source), signal, progress) : resolve(source)
  const found = await inspect(path, source)
  tell?.('reading it for its checksum')
  return { path, ...found, sha256: await sha256Of(path, signal), isOwn: false }
}

const FOREIGN: readonly (readonly [name: string, magic: string])[] = [
  ['an xz archive', 'fd377a585a00'],
  ['a gzip archive', '1f8b'],
  ['a zstd archive', '28b52ffd'],
  ['a bzip2 archive', '425a68'],
  ['a zip archive', '504b0304'],
  ['a VMDK image', '4b444d56'],
  ['a VHDX image', '7668647866696c65'],
]

async function inspect(path: string, source: string): Promise<Pick<Image, 'format' | 'virtual_bytes'>> {
  await using file = await open(path).catch((error) => {
    throw new ImageError(`--image ${source} cannot be read: ${error.message}`)
  })
  const head = await readHead(file)
  const { size } = await file.stat()
  if (head.readUInt32BE(0) === 0x514649fb) return { format: 'qcow2', virtual_bytes: Number(head.readBigUInt64BE(24)) }
  const foreign = FOREIGN.find(([, magic]) => head.toString('hex').startsWith(magic))
  if (foreign) throw new ImageError(`--image ${source} is ${foreign[0]}: unpack or convert it to raw or qcow2 first`)
  if (head.readUInt16LE(510) !== 0xaa55) {
    throw new ImageError(`--image ${source} is neither qcow2 nor a raw disk: it has no boot sector`)
  }
  return { format: 'raw', virtual_bytes: size }
}

async function readHead(file: FileHandle): Promise<Buffer> {
  const head = Buffer.alloc(512)
  await file.read(head, 0, head.length, 0)
  return head
}

type Meta = { url: string; etag: string | null }

/** Kept by URL and ETag: an image that did not change is not fetched again. */
async function fetchImage(url: URL, signal: AbortSignal, progress: Progress): Promise<string> {
  const folder = join(cacheFolder(), 'downloads', createHash('sha256').update(url.href).digest('hex').slice(0, 12))
  await mkdir(folder, { recursive: true })
  const path = join(folder, 'image')
  const silence = new AbortController()
  let timer = setTimeout(() => silence.abort(), SILENCE_LIMIT_MS)
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(() => silence.abort(), SILENCE_LIMIT_MS)
  }
  try {
    const known = await readMeta(folder, path)
    const headers: Record<string, string> = known?.etag ? { 'if-none-match': known.etag } : {}
    const response = await fetch(url, { headers, signal: AbortSignal.any([signal, silence.signal]) })
    if (response.status === 304) return path
    if (!response.ok || !response.body) throw new ImageError(`it answered ${response.status} ${response.statusText}`)
    const length = response.headers.get('content-length')
    const total = length === null ? undefined : Number(length)
    let done = 0
    await using file = await open(`${path}.part`, 'w')
    for await (const chunk of response.body) {
      await file.write(chunk)
      done += chunk.length
      heard()
      progress(done, total)
    }
    if (total !== undefined && done !== total) throw new ImageError(`it ended after ${done} of ${total} bytes`)
    await rename(`${path}.part`, path)
    const meta: Meta = { url: url.href, etag: response.headers.get('etag') }
    await writeFile(join(folder, 'meta.json'), JSON.stringify(meta))
    return path
  } catch (error) {
    if (signal.aborted) throw error
    const why = silence.signal.aborted ? `it was silent for ${SILENCE_LIMIT_MS / 1000} s` : reason(error)
    throw new ImageError(`--image ${url.href} cannot be fetched: ${why}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

async function readMeta(folder: string, path: string): Promise<Meta | undefined> {
  try {
    await stat(path)
    return JSON.parse(await readFile(join(folder, 'meta.json'), 'utf8'))
  } catch {
    // Nothing was fetched before, or not to its end.
    return undefined
  }
}

const reason = (error: unknown) => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
