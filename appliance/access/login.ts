/** Checks name and password of a request. Who fails is slowed down; who was right not long ago is not. */
import { setTimeout } from 'node:timers/promises'
import { likeHash, Passwords } from '@appliance/ground/passwords'
import type { Log } from '../log.ts'
import type { Role } from './caller.ts'
import { BadAuthorization, RoleUnknown, TooManyLogins, Unauthorized } from './refusals.ts'
import { Throttle } from './throttle.ts'
import type { Users } from './users.ts'

const BUSY_FOR_S = 5

type Credentials = { name: string; password: string }

export class Login {
  readonly #users: Pick<Users, 'find' | 'anyHash'>
  readonly #log: Log
  readonly #throttle: Throttle
  readonly #passwords = new Passwords(() => new TooManyLogins(BUSY_FOR_S))

  constructor(users: Pick<Users, 'find' | 'anyHash'>, log: Log, throttle = new Throttle()) {
    this.#users = users
    this.#log = log
    this.#throttle = throttle
  }

  /**
   * @param authorization  the header. @param address  where it came from
   * @throws LoginRefused
   */
  async check(authorization: string | undefined, address: string): Promise<{ user: string; role: Role }> {
    const given = readAuthorization(authorization)
    const user = await this.#users.find(given.name)
    const hash = user?.hash ?? likeHash(this.#users.anyHash)
    if (user === undefined || !this.#passwords.isKnownRight(given.password, hash, given.name)) {
      const isRight = await this.#inLine(address, () => this.#passwords.isRight(given.password, hash, given.name))
      if (user === undefined || !isRight) return this.#fail(user?.name, address)
      this.#throttle.succeeded(address)
    }
    if (user.role === undefined)
      throw new RoleUnknown(
        `The role of ${user.name} cannot be read; the log says why. Mend the file of roles beside [DEFAULT] http_basic_auth_user_file, or name the role in [api] roles.`,
      )
    return { user: user.name, role: user.role }
  }

  async #inLine<T>(address: string, check: () => Promise<T>): Promise<T> {
    const pause_ms = this.#throttle.pauseFor(address)
    const leave = this.#throttle.enter(address)
    if (leave === undefined) throw new TooManyLogins(Math.max(1, Math.ceil(pause_ms / 1000)))
    try {
      if (pause_ms > 0) await setTimeout(pause_ms, undefined, { ref: false })
      return await check()
    } finally {
      leave()
    }
  }

  /** A name that nobody has may be a password typed at the wrong place: it is not repeated. */
  #fail(user: string | undefined, address: string): never {
    this.#throttle.failed(address)
    this.#log.warn('log-in refused', { address, user: user ?? 'unknown' })
    throw new Unauthorized('Incorrect username or password')
  }
}

/** @source Ironic common/auth_basic.py parse_header and parse_token. @throws LoginRefused */
function readAuthorization(header: string | undefined): Credentials {
  if (header === undefined) throw new Unauthorized('Authorization required')
  const [scheme = '', token = ''] = header.trim().split(/\s+(.*)/s)
  if (token === '') throw new BadAuthorization('Could not parse Authorization header')
  if (scheme.toLowerCase() !== 'basic')
    throw new BadAuthorization(`Unsupported authorization type "${scheme.slice(0, 40)}"`)
  const text = /^[A-Za-z0-9+/]+={0,2}$/.test(token) ? Buffer.from(token, 'base64').toString('utf8') : ''
  const [, name, password] = /^([^:]*):(.*)$/s.exec(text) ?? []
  if (name === undefined || password === undefined) throw new BadAuthorization('Could not decode authorization token')
  return { name, password }
}
