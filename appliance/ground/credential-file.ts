/**
 * A file of credentials, such as htpasswd. It is read anew when it changes; while it cannot be read, the old content
 * stays in force.
 */
import { readFile, stat } from 'node:fs/promises'
import { isMissing } from './errno.ts'

const LOOK_EVERY_MS = 2_000

/** @param path  names the file in messages. @throws what is wrong with it */
export type Parse = (text: string, path: string) => Map<string, string>
type Given = {
  path: string
  parse: Parse
  /** True: a file that is not there is an empty one. */
  isOptional?: boolean
  /** Shortest time between two looks at the file. Default: 2 s. */
  look_every_ms?: number
  /** What is thrown when the file cannot be read. */
  unreadable(cause: Error): Error
  /** Told when a change of the file cannot be read; once for each reason in turn. */
  onStale(error: Error): void
  /** Told when an optional file that was there is there no more. */
  onGone?(): void
}

export class CredentialFile {
  readonly #given: Given
  #entries: ReadonlyMap<string, string> = new Map()
  #stamp = ''
  #looked_at = 0
  #reading: Promise<void> | undefined
  #stale: string | undefined

  private constructor(given: Given) {
    this.#given = given
  }

  /** @throws what `parse` and `unreadable` give */
  static async open(given: Given): Promise<CredentialFile> {
    const file = new CredentialFile(given)
    await file.#read()
    return file
  }

  /** Whether the file says something that could not be read, as of when it was looked at last. */
  get isStale(): boolean {
    return this.#stale !== undefined
  }
  /** As of when it was read last. */
  get keys(): readonly string[] {
    return [...this.#entries.keys()]
  }
  get values(): readonly string[] {
    return [...this.#entries.values()]
  }

  async get(key: string): Promise<string | undefined> {
    if (Date.now() - this.#looked_at >= (this.#given.look_every_ms ?? LOOK_EVERY_MS)) {
      this.#looked_at = Date.now()
      this.#reading ??= this.#readAnew()
    }
    await this.#reading
    return this.#entries.get(key)
  }

  async #readAnew(): Promise<void> {
    try {
      await this.#read()
      this.#stale = undefined
    } catch (error) {
      const { message } = error as Error
      const isTold = this.#stale === message
      this.#stale = message
      if (!isTold) this.#given.onStale(error as Error)
    } finally {
      this.#reading = undefined
    }
  }

  /** What fails is tried again at the next look: the stamp is that of the entries. */
  async #read(): Promise<void> {
    const { path, parse, unreadable, isOptional } = this.#given
    const fail = (error: Error): never => {
      throw unreadable(error)
    }
    const found = await stat(path).catch((error: Error) => (isOptional && isMissing(error) ? undefined : fail(error)))
    const stamp = found ? `${found.mtimeMs} ${found.ctimeMs} ${found.ino} ${found.size}` : 'absent'
    if (stamp === this.#stamp) return
    const entries = found === undefined ? new Map() : parse(await readFile(path, 'utf8').catch(fail), path)
    const isGone = found === undefined && this.#stamp !== ''
    this.#entries = entries
    this.#stamp = stamp
    if (isGone) this.#given.onGone?.()
  }
}

/** Lines of NAME:VALUE; empty lines and comments are left out. */
export function* linesOf(text: string): Generator<{ line: number; user: string; value: string }> {
  for (const [index, raw] of text.split('\n').entries()) {
    const trimmed = raw.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const colon = trimmed.indexOf(':')
    yield { line: index + 1, user: trimmed.slice(0, Math.max(colon, 0)), value: trimmed.slice(colon + 1) }
  }
}
