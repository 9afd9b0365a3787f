/**
 * An http(s) image that the agent may fetch from its own server: asked for by HEAD, and its first bytes looked at.
 * Keeps nothing.
 */
import { ImageUnacceptable } from '../errors.ts'
import { refuseCutDisk } from './format/cut-disk.ts'
import { detectFormat, HEAD_BYTES, isRaw } from './format/image-format.ts'
import { checkQcow2 } from './format/qcow2.ts'
import { SIZE_LIMIT_BYTES } from './prepare-image.ts'
import { shownUrl } from './source/image-source.ts'
import { type Answer, credentialsFor, discard, reasonOf, statusText, type Upstream } from './source/upstream.ts'

export type Upstreams = { url: URL; format: string; size_bytes: number | undefined }

/** Servers that do not know HEAD are asked by GET only. */
const NO_HEAD = [405, 501]

/** @returns where the redirects lead to, the format by content, and the size when told. @throws ImageUnacceptable */
export async function lookUpstream(
  upstream: Upstream,
  from: URL,
  authorization: string | undefined,
  signal: AbortSignal,
): Promise<Upstreams> {
  const told = await upstream.ask(from, { method: 'HEAD', authorization, signal })
  discard(told)
  if (!NO_HEAD.includes(told.status)) refuseStatus(told, 'HEAD', [200])
  const url = NO_HEAD.includes(told.status) ? from : told.url
  const range = `bytes=0-${HEAD_BYTES - 1}`
  const answer = await upstream.ask(url, {
    method: 'GET',
    headers: { range },
    authorization: credentialsFor(url, from, authorization),
    signal,
  })
  try {
    refuseStatus(answer, 'GET', [200, 206])
    const size_bytes = sizeOf(answer) ?? (told.status === 200 ? sizeOf(told) : undefined)
    const head = await readHead(answer, upstream.timeout_s, signal)
    if (head.length === 0) throw new ImageUnacceptable(`Image ${shownUrl(url)} is empty. Put the image there.`)
    const format = detectFormat(head)
    if (format === 'qcow2' && size_bytes !== undefined) checkQcow2(head, size_bytes, SIZE_LIMIT_BYTES, shownUrl(url))
    if (isRaw(format) && size_bytes !== undefined) refuseCutDisk(head, size_bytes, shownUrl(url))
    return { url: withUser(answer.url, from), format, size_bytes }
  } finally {
    discard(answer)
  }
}

/** A redirect on the same server leaves out the user and password that it wants again from the agent. */
function withUser(url: URL, from: URL): URL {
  const same = new URL(url)
  if (url.origin === from.origin) Object.assign(same, { username: from.username, password: from.password })
  return same
}

function refuseStatus(answer: Answer, method: string, wanted: readonly number[]): void {
  if (wanted.includes(answer.status)) return
  throw new ImageUnacceptable(
    `Validation of image href ${shownUrl(answer.url)} failed, reason: ${statusText(answer.status, method)}. Correct image_source, or the server.`,
  )
}

function sizeOf({ status, headers }: Answer): number | undefined {
  const told = status === 206 ? /\/(\d+)$/.exec(String(headers['content-range'] ?? ''))?.[1] : headers['content-length']
  const size_bytes = Number(told)
  return told !== undefined && Number.isSafeInteger(size_bytes) ? size_bytes : undefined
}

/** No more than is needed, also of a server that sends all. */
async function readHead(answer: Answer, timeout_s: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of answer.body) {
      chunks.push(chunk as Buffer)
      bytes += (chunk as Buffer).length
      if (bytes >= HEAD_BYTES) break
    }
  } catch (error) {
    signal.throwIfAborted()
    throw new ImageUnacceptable(
      `Image ${shownUrl(answer.url)} cannot be read: ${reasonOf(error, timeout_s)}. Check the server.`,
      {
        cause: error,
      },
    )
  }
  return Buffer.concat(chunks).subarray(0, HEAD_BYTES)
}
