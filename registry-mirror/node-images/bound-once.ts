/** What images bind, each read once however many machines need it: reading unpacks all of an image, and its layers never change. */
import type { BlobReader } from '../storage/blobs.ts'
import { boundImages } from './bound.ts'

export type Layer = { digest: string; open(): Promise<BlobReader> }

/** For reading all layers of an image. */
const DEADLINE_MS = 10 * 60_000
const KEPT = 200

export class BoundImages {
  readonly #found = new Map<string, Promise<string[]>>()
  readonly #closing = new AbortController()

  /** As boundImages. Who gives up waiting stops it for nobody. @throws RegistryError; signal's reason */
  async of(layers: readonly Layer[], { folder, signal }: { folder: string; signal?: AbortSignal }): Promise<string[]> {
    const key = [folder, ...layers.map(({ digest }) => digest)].join(' ')
    const found = this.#found.get(key) ?? this.#read(key, layers, folder)
    return signal ? unlessAborted(found, signal) : found
  }

  #read(key: string, layers: readonly Layer[], folder: string): Promise<string[]> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(DEADLINE_MS)])
    const found = boundImages(
      layers.map(({ open }) => open),
      { folder, signal },
    )
    this.#found.set(key, found)
    const [oldest] = this.#found.keys()
    if (this.#found.size > KEPT && oldest !== undefined) this.#found.delete(oldest)
    // The next one may be luckier.
    found.catch(() => this.#found.delete(key))
    return found
  }

  close(): void {
    this.#closing.abort(new Error('the registry is being closed'))
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', abort))
}
