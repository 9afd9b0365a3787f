/**
 * The images that images bind. Each image is read once, however many machines need it: reading unpacks all its
 * layers, which never change. A process of its own reads them.
 */
import type { FileHandle } from 'node:fs/promises'
import { ApartFailure, runApart } from '@appliance/ground/apart'
import { createSemaphore } from '@appliance/ground/semaphore'
import { untilAborted } from '@appliance/ground/until-aborted'
import { RegistryError } from '../oci/errors.ts'
import type { act } from './bound.ts'

/** The file is its own: it is closed here. */
export type Layer = { digest: string; open(): Promise<FileHandle> }

const READER = new URL('./bound.ts', import.meta.url)
const MEMORY_BYTES = 192 * 1024 * 1024
/** For reading all layers of an image: so long at least, and at the rate of a slow box. */
const DEADLINE_MS = { least: 60_000, most: 10 * 60_000 } as const
const BYTES_PER_MS = 2_000
/** Nobody unpacks an image of more. */
const LAYERS_LIMIT = 500
/** Images at a time: the box has other work. */
const AT_ONCE = 1
const CACHED_IMAGES = 200

export class BoundImages {
  readonly #found = new Map<string, Promise<string[]>>()
  readonly #turns = createSemaphore(AT_ONCE)
  readonly #closing = new AbortController()

  /**
   * References, each once. A caller that stops waiting does not stop the reading.
   * @throws RegistryError; signal's reason
   */
  async of(layers: readonly Layer[], { folder, signal }: { folder: string; signal?: AbortSignal }): Promise<string[]> {
    const key = [folder, ...layers.map(({ digest }) => digest)].join(' ')
    const found = this.#found.get(key) ?? this.#read(key, layers, folder)
    return signal ? untilAborted(found, signal) : found
  }

  #read(key: string, layers: readonly Layer[], folder: string): Promise<string[]> {
    const found = this.#turns.run(() => read(layers, folder, this.#closing.signal))
    this.#found.set(key, found)
    const [oldest] = this.#found.keys()
    if (this.#found.size > CACHED_IMAGES && oldest !== undefined) this.#found.delete(oldest)
    // A later attempt may succeed.
    found.catch(() => this.#found.delete(key))
    return found
  }

  close(): void {
    this.#closing.abort(new Error('the registry is being closed'))
  }
}

async function read(layers: readonly Layer[], folder: string, signal: AbortSignal): Promise<string[]> {
  if (layers.length > LAYERS_LIMIT)
    throw new RegistryError(`It has ${layers.length} layers: at most ${LAYERS_LIMIT} are looked at.`)
  const files: FileHandle[] = []
  try {
    for (const { open } of layers) files.push(await open())
    const deadline_ms = await deadlineOf(files)
    const limits = { memory_bytes: MEMORY_BYTES, deadline_ms }
    return await runApart<typeof act>({ module: READER, order: { folder }, files, signal, ...limits })
  } catch (error) {
    if (error instanceof ApartFailure) throw new RegistryError(inWords(error), { cause: error })
    throw error
  } finally {
    for (const file of files) await file.close()
  }
}

async function deadlineOf(files: readonly FileHandle[]): Promise<number> {
  let bytes = 0
  for (const file of files) bytes += (await file.stat()).size
  return Math.min(DEADLINE_MS.least + bytes / BYTES_PER_MS, DEADLINE_MS.most)
}

const inWords = ({ why, message }: ApartFailure) =>
  why === 'refused'
    ? message
    : `Reading its layers ${message}${why === 'crashed' ? '' : ', more than an honest image of its size does. Build it anew'}.`
