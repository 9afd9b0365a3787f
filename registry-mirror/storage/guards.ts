/**
 * Guarded repositories: their content was pulled with a pull secret and is only for clients that have it. Salted
 * hashes of the secrets stand in guards/, one file for each repository, so that guards work with a dead upstream,
 * after a restart, and without state.json.
 */

import { createHmac, randomBytes, scrypt } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unlessMissing } from '@appliance/ground/errno'
import { createSemaphore } from '@appliance/ground/semaphore'
import { tooManyRequests } from '../oci/errors.ts'
import { parseName, type RepositoryName } from '../oci/names.ts'
import type { PullSecret } from '../oci/secret.ts'
import type { Disk } from './disk/disk.ts'

type Guard = { salt: string; hashes: readonly string[] }

const scryptOf = promisify<string, string, number, Buffer>(scrypt)
const HASH_BYTES = 32
/** Of one repository; a new one replaces the oldest. */
const SECRETS_LIMIT = 8
/** A check takes some 50 ms of a processor: guesses must not take all processors. */
const AT_A_TIME = 2
const WAITING_LIMIT = 50
const REMEMBERED_LIMIT = 2_000
const SECRET_LIMIT = 4_096

export class Guards {
  readonly #disk: Disk
  readonly #folder: string
  readonly #guards: Map<RepositoryName, Guard>
  /** Computed hashes, by a key that only this process has. */
  readonly #made = new Map<string, string>()
  readonly #key = randomBytes(32)
  readonly #semaphore = createSemaphore(AT_A_TIME)

  private constructor(disk: Disk, folder: string, guards: Map<RepositoryName, Guard>) {
    this.#disk = disk
    this.#folder = folder
    this.#guards = guards
  }

  static async open(disk: Disk): Promise<Guards> {
    const folder = join(disk.root, 'guards')
    const guards = new Map<RepositoryName, Guard>()
    for (const file of (await readdir(folder).catch(unlessMissing)) ?? []) {
      const name = parseName(file.replaceAll('+', '/'))
      if (name) guards.set(name, await readGuard(join(folder, file)))
    }
    return new Guards(disk, folder, guards)
  }

  get isEmpty(): boolean {
    return this.#guards.size === 0
  }
  isGuarded = (name: RepositoryName): boolean => this.#guards.has(name)

  /** @throws OciError  TOOMANYREQUESTS  too many are being checked */
  async isRight(name: RepositoryName, secret: PullSecret): Promise<boolean> {
    const guard = this.#guards.get(name)
    if (guard === undefined || secret.length > SECRET_LIMIT) return false
    if (this.#semaphore.waiting >= WAITING_LIMIT)
      throw tooManyRequests('Too many pull secrets are being checked. Try again.', 5)
    return guard.hashes.includes(await this.#hash(guard.salt, secret))
  }

  /** Called when the upstream accepts the secret, before anything is pulled with it. Durable when it resolves. */
  async add(name: RepositoryName, secret: PullSecret): Promise<void> {
    const salt = this.#guards.get(name)?.salt ?? randomBytes(16).toString('hex')
    const hash = await this.#hash(salt, secret)
    const { hashes = [] } = this.#guards.get(name) ?? {}
    if (hashes.at(-1) === hash) return
    await this.#write(name, { salt, hashes: [...hashes.filter((one) => one !== hash), hash].slice(-SECRETS_LIMIT) })
  }

  /** Called when the upstream refuses the secret. The repository stays guarded. */
  async drop(name: RepositoryName, secret: PullSecret): Promise<void> {
    const guard = this.#guards.get(name)
    if (guard === undefined) return
    const hash = await this.#hash(guard.salt, secret)
    const hashes = guard.hashes.filter((one) => one !== hash)
    if (hashes.length < guard.hashes.length) await this.#write(name, { ...guard, hashes })
  }

  /** Called when the upstream gives the repository to everybody. */
  async lift(name: RepositoryName): Promise<void> {
    if (this.#guards.delete(name)) await this.#disk.remove(this.#path(name))
  }

  #path = (name: RepositoryName) => join(this.#folder, name.replaceAll('/', '+'))

  async #write(name: RepositoryName, guard: Guard): Promise<void> {
    this.#guards.set(name, guard)
    await this.#disk.makeFolder(this.#folder)
    await this.#disk.write(this.#path(name), Buffer.from(JSON.stringify(guard)))
  }

  async #hash(salt: string, secret: PullSecret): Promise<string> {
    const key = createHmac('sha256', this.#key).update(`${salt}\n${secret}`).digest('hex')
    const made = this.#made.get(key)
    if (made !== undefined) return made
    const hash = await this.#semaphore.run(async () => (await scryptOf(secret, salt, HASH_BYTES)).toString('hex'))
    if (this.#made.size >= REMEMBERED_LIMIT) this.#made.clear()
    this.#made.set(key, hash)
    return hash
  }
}

/** A file that cannot be read guards all the same, and no secret is right until an upstream accepts one. */
async function readGuard(path: string): Promise<Guard> {
  try {
    const { salt, hashes } = JSON.parse(await readFile(path, 'utf8')) as Partial<Guard>
    if (typeof salt === 'string' && Array.isArray(hashes)) return { salt, hashes }
  } catch {
    // A damaged file is treated as one without hashes: see above.
  }
  return { salt: randomBytes(16).toString('hex'), hashes: [] }
}
