/**
 * The files of credentials: htpasswd, and tokens. A file is read anew when it changes; while it cannot be read, the
 * old content stays in force.
 */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { RegistryLog } from '../config/config.ts'
import { RegistryError } from '../oci/errors.ts'
import { isKnownHash } from './password.ts'

const LOOK_EVERY_MS = 2_000
const USER = /^[\w.@+-]{1,64}$/
/** What WHO may be in a rule beside names. */
const RESERVED = ['anyone', 'users', 'nobody']

export type Parse = (text: string, path: string) => Map<string, string>

export class CredentialFile {
  readonly #path: string
  readonly #option: string
  readonly #parse: Parse
  readonly #log: RegistryLog
  #entries: ReadonlyMap<string, string> = new Map()
  #stamp = ''
  #looked_at = 0

  private constructor({ path, option, parse }: { path: string; option: string; parse: Parse }, log: RegistryLog) {
    this.#path = path
    this.#option = option
    this.#parse = parse
    this.#log = log
  }

  /** @throws RegistryError  it cannot be used: file and line, what was found and what was expected */
  static async open(given: { path: string; option: string; parse: Parse }, log: RegistryLog): Promise<CredentialFile> {
    const file = new CredentialFile(given, log)
    await file.#read()
    return file
  }

  /** As of when it was read last. */
  get keys(): readonly string[] {
    return [...this.#entries.keys()]
  }
  get values(): readonly string[] {
    return [...this.#entries.values()]
  }

  async get(key: string): Promise<string | undefined> {
    if (Date.now() - this.#looked_at > LOOK_EVERY_MS) {
      this.#looked_at = Date.now()
      await this.#read().catch((error: Error) =>
        this.#log.error('credentials cannot be read anew; the old ones stay in force', { error: error.message }),
      )
    }
    return this.#entries.get(key)
  }

  async #read(): Promise<void> {
    const fail = (error: Error): never => {
      throw new RegistryError(`[registry] ${this.#option} ${this.#path} cannot be read: ${error.message}.`, {
        cause: error,
      })
    }
    const { mtimeMs, ino, size } = await stat(this.#path).catch(fail)
    const stamp = `${mtimeMs} ${ino} ${size}`
    if (stamp === this.#stamp) return
    this.#stamp = stamp
    this.#entries = this.#parse(await readFile(this.#path, 'utf8').catch(fail), this.#path)
  }
}

function* linesOf(text: string): Generator<{ line: number; user: string; value: string }> {
  for (const [index, raw] of text.split('\n').entries()) {
    const trimmed = raw.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const colon = trimmed.indexOf(':')
    yield { line: index + 1, user: trimmed.slice(0, Math.max(colon, 0)), value: trimmed.slice(colon + 1) }
  }
}

function requireUser(user: string, where: string): void {
  if (!USER.test(user) || RESERVED.includes(user))
    throw new RegistryError(`${where}: '${user}' cannot be a name here: expected NAME:HASH, and none of ${RESERVED}.`)
}

/** Lines of NAME:HASH. @returns hashes by name */
export const parseHtpasswd: Parse = (text, path) => {
  const users = new Map<string, string>()
  for (const { line, user, value } of linesOf(text)) {
    requireUser(user, `${path}:${line}`)
    if (!isKnownHash(value))
      throw new RegistryError(
        `${path}:${line}: the password of ${user} is kept in a way that is not known here: expected bcrypt ($2y$, htpasswd -B), ` +
          'SHA-crypt ($5$ or $6$, htpasswd -2 or -5, openssl passwd -6), yescrypt ($y$, mkpasswd) or {SHA} (htpasswd -s). Set it again in one of these.',
      )
    users.set(user, value)
  }
  return users
}

/** Lines of NAME:SHA256, of the token in hex. @returns names by that */
export const parseTokens: Parse = (text, path) => {
  const names = new Map<string, string>()
  for (const { line, user, value } of linesOf(text)) {
    requireUser(user, `${path}:${line}`)
    if (!/^[0-9a-f]{64}$/.test(value))
      throw new RegistryError(
        `${path}:${line}: the token of ${user} is not kept as expected: NAME: and the SHA-256 of the token in 64 lower-case hex digits (printf %s TOKEN | sha256sum).`,
      )
    names.set(value, user)
  }
  return names
}

export const tokenKey = (token: string): string => createHash('sha256').update(token).digest('hex')
