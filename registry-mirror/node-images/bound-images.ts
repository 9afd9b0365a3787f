/**
 * The images that images bind. Each image is read once, however many machines need it: reading unpacks all its
 * layers, which never change.
 */
import { untilAborted } from '@appliance/ground/until-aborted'
import type { BlobReader } from '../storage/blobs.ts'
import { boundImages } from './bound.ts'

export type Layer = { digest: string; open(): Promise<BlobReader> }

/** For reading all layers of an image. */
const DEADLINE_MS = 10 * 60_000
const CACHED_IMAGES = 200

export class BoundImages {
  readonly #found = new Map<string, Promise<string[]>>()
  readonly #closing = new AbortController()

  /** As boundImages. A caller that stops waiting does not stop the reading. @throws RegistryError; signal's reason */
  async of(layers: readonly Layer[], { folder, signal }: { folder: string; signal?: AbortSignal }): Promise<string[]> {
    const key = [folder, ...layers.map(({ digest }) => digest)].join(' ')
    const found = this.#found.get(key) ?? this.#read(key, layers, folder)
    return signal ? untilAborted(found, signal) : found
  }

  #read(key: string, layers: readonly Layer[], folder: string): Promise<string[]> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(DEADLINE_MS)])
    const found = boundImages(
      layers.map(({ open }) => open),
      { folder, signal },
    )
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
