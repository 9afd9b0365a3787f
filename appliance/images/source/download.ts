/**
 * Fetches an image from its server into a file, hashing as it comes; picks up after a cut where the server lets it, and
 * begins anew where not.
 */
import { createHash, type Hash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { ImageUnacceptable, InsufficientStorage } from '../../errors.ts'
import { openSparseWriter, type SparseWriter } from '../file/sparse-writer.ts'
import { shownUrl } from './image-source.ts'
import { type Answer, credentialsFor, discard, reasonOf, statusText, Unanswered, type Upstream } from './upstream.ts'

export type FetchTo = {
  path: string
  /** Of what is fetched, all in one pass. */
  algorithms: readonly string[]
  limit_bytes: number
  /** Asked before bytes come. @throws InsufficientStorage */
  makeRoom(bytes: number): Promise<void>
  /** Asked while they come: others fill the disk, too. @throws InsufficientStorage */
  keepRoom(bytes: number): Promise<void>
  progress(done: number, total: number | undefined): void
  signal: AbortSignal
}
/** Hex digests by algorithm. */
export type Fetched = { size_bytes: number; digests: Readonly<Record<string, string>> }

/** So much is asked room for at once, whatever the server told. */
const ROOM_BYTES = 8 * 1024 * 1024

/** Cuts that brought no byte since the one before. */
const FRUITLESS_CUTS_LIMIT = 3
const CUTS_LIMIT = 50
const PAUSE_MS = 1_000
/** Of a download that cannot go on where it was cut. */
const BEGINNINGS_LIMIT = 3

/** `canBeginAnew`: its server is there, and cannot or does not want to go on. */
class CutOff extends ImageUnacceptable {
  readonly canBeginAnew: boolean
  constructor(message: string, canBeginAnew: boolean) {
    super(message)
    this.canBeginAnew = canBeginAnew
  }
  override get name(): string {
    return 'ImageUnacceptable'
  }
}

type Transfer = { url: URL; etag: string | undefined; total: number | undefined }

/** @throws ImageUnacceptable, InsufficientStorage */
export async function download(
  upstream: Upstream,
  url: URL,
  authorization: string | undefined,
  to: FetchTo,
): Promise<Fetched> {
  for (let beginnings = 1; ; beginnings++) {
    try {
      return await downloadOnce(upstream, url, authorization, to)
    } catch (error) {
      if (!(error instanceof CutOff && error.canBeginAnew) || beginnings >= BEGINNINGS_LIMIT) throw error
    }
    await rm(to.path, { force: true })
    await pause(beginnings * PAUSE_MS, undefined, { signal: to.signal })
  }
}

async function downloadOnce(
  upstream: Upstream,
  url: URL,
  authorization: string | undefined,
  to: FetchTo,
): Promise<Fetched> {
  let answer = await upstream.ask(url, { method: 'GET', authorization, signal: to.signal })
  try {
    const transfer = await begin(answer, url, to)
    const hashes = to.algorithms.map((algorithm) => createHash(algorithm))
    await using writer = await openSparseWriter(to.path)
    for (let cuts = 0, fruitless = 0; ; cuts++) {
      const before = writer.size_bytes
      const why = await pour(answer, { upstream, transfer, writer, hashes, to })
      if (why === undefined) break
      fruitless = writer.size_bytes > before ? 0 : fruitless + 1
      const cut = cutOff(transfer, writer.size_bytes, why)
      if (transfer.etag === undefined || cuts >= CUTS_LIMIT || fruitless >= FRUITLESS_CUTS_LIMIT) throw cut
      await pause(fruitless * PAUSE_MS, undefined, { signal: to.signal })
      const credentials = credentialsFor(transfer.url, url, authorization)
      answer = await goOn(upstream, transfer, {
        authorization: credentials,
        offset: writer.size_bytes,
        cut,
        signal: to.signal,
      })
    }
    await writer.finish()
    return {
      size_bytes: writer.size_bytes,
      digests: Object.fromEntries(hashes.map((hash, index) => [to.algorithms[index], hash.digest('hex')])),
    }
  } finally {
    discard(answer)
  }
}

function cutOff({ url, total, etag }: Transfer, done: number, why: string): CutOff {
  const of = total === undefined ? '' : ` of the ${total} that it told`
  const anew =
    etag === undefined ? ` It has no ETag to go on by, and each of ${BEGINNINGS_LIMIT} downloads was cut.` : ''
  return new CutOff(
    `Image ${shownUrl(url)} cannot be fetched: its server sent ${done} bytes${of}: ${why}.${anew} Check the server.`,
    etag === undefined,
  )
}

/** What the first answer tells of the whole. */
async function begin(answer: Answer, url: URL, to: FetchTo): Promise<Transfer> {
  const shown = shownUrl(url)
  const refuse = (why: string, next: string) => {
    throw new ImageUnacceptable(`Image ${shown} cannot be fetched: ${why}. ${next}`)
  }
  if (answer.status !== 200) refuse(statusText(answer.status, 'GET'), 'Correct image_source, or the server.')
  const encoding = answer.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') refuse(`its server sent it as ${encoding}, which was not asked for`, 'Check the server.')
  const length = answer.headers['content-length']
  const total = length === undefined ? undefined : Number(length)
  if (total === 0) refuse('it is empty', 'Correct image_source, or put the image there.')
  if (total !== undefined) {
    refuseTooLarge(total, shown, to.limit_bytes)
    await to.makeRoom(total)
  }
  const { etag } = answer.headers
  return { url: answer.url, total, etag: typeof etag === 'string' && etag.startsWith('"') ? etag : undefined }
}

export function refuseTooLarge(bytes: number, shown: string, limit_bytes: number): void {
  if (bytes <= limit_bytes) return
  throw new ImageUnacceptable(
    `Image ${shown} has ${bytes} bytes: the most that is accepted here is ${limit_bytes} bytes.`,
  )
}

type Pour = { upstream: Upstream; transfer: Transfer; writer: SparseWriter; hashes: readonly Hash[]; to: FetchTo }

/** @returns why it stopped before the end; undefined at the end */
async function pour(answer: Answer, { upstream, transfer, writer, hashes, to }: Pour): Promise<string | undefined> {
  const { total } = transfer
  const takeRoom = roomTaker(to, writer.size_bytes)
  try {
    for await (const chunk of answer.body) {
      const piece = chunk as Buffer
      refuseTooLarge(writer.size_bytes + piece.length, shownUrl(transfer.url), to.limit_bytes)
      for (const hash of hashes) hash.update(piece)
      await takeRoom(writer.size_bytes + piece.length)
      await writer.write(piece)
      to.progress(writer.size_bytes, total)
    }
  } catch (error) {
    to.signal.throwIfAborted()
    if (!isUpstreams(error)) throw error
    return reasonOf(error, upstream.timeout_s)
  }
  if (writer.size_bytes === 0)
    throw new ImageUnacceptable(`Image ${shownUrl(transfer.url)} is empty. Put the image there.`)
  return total === undefined || writer.size_bytes === total ? undefined : 'then it closed the connection'
}

/** Asks for more when `size_bytes` have come. */
export function roomTaker({ keepRoom }: Pick<FetchTo, 'keepRoom'>, already: number) {
  let taken = already
  return async (size_bytes: number): Promise<void> => {
    if (size_bytes <= taken) return
    await keepRoom(ROOM_BYTES)
    taken = size_bytes + ROOM_BYTES
  }
}

/** Errors of our own disk must not be taken for a cut. */
function isUpstreams(error: unknown): boolean {
  if (error instanceof ImageUnacceptable || error instanceof InsufficientStorage) return false
  const { syscall } = error as NodeJS.ErrnoException
  return syscall === undefined || !['write', 'ftruncate', 'open'].includes(syscall)
}

type Rest = { authorization: string | undefined; offset: number; cut: ImageUnacceptable; signal: AbortSignal }

async function goOn(
  upstream: Upstream,
  transfer: Transfer,
  { authorization, offset, cut, signal }: Rest,
): Promise<Answer> {
  const headers = { range: `bytes=${offset}-`, 'if-range': transfer.etag ?? '' }
  const answer = await upstream.ask(transfer.url, { method: 'GET', headers, authorization, signal }).catch((error) => {
    throw error instanceof Unanswered ? cut : error
  })
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(answer.headers['content-range'] ?? ''))
  if (answer.status === 206 && Number(range?.[1]) === offset) return answer
  discard(answer)
  // The same image, all of it: the server knows no ranges. Another ETag is another image.
  const isWhole = answer.status === 200 && answer.headers.etag === transfer.etag
  throw isWhole ? new CutOff(cut.message, true) : cut
}
