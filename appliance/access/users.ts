/**
 * The users of http_basic: a file as htpasswd makes it, and the roles beside it. Both are read anew when they change.
 */
import { CredentialFile, linesOf, type Parse } from '@appliance/ground/credential-file'
import { isBcrypt } from '@appliance/ground/passwords'
import { ApplianceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { ROLES, type Role } from './caller.ts'

/** Of a name: what a line of two fields can hold, and a header. */
const NAME = /^[\w.@+-]{1,64}$/
export const isUserName = (name: string): boolean => NAME.test(name)
export const isRole = (text: string): text is Role => (ROLES as readonly string[]).includes(text)

/** Lies beside the file of users, as NAME:ROLE. */
export const rolesFileOf = (user_file: string): string => `${user_file}.roles`

/** Lines of NAME:HASH. @throws ApplianceError  file and line */
export const parseUsers: Parse = (text, path) => {
  const users = new Map<string, string>()
  for (const { line, user, value } of linesOf(text)) {
    if (!isUserName(user))
      throw new ApplianceError(
        `${path}:${line}: expected NAME:HASH, the name of at most 64 letters, digits and . _ @ + -.`,
      )
    if (!isBcrypt(value))
      throw new ApplianceError(
        `${path}:${line}: the password of ${user} is not hashed by bcrypt, which is the only way that is taken here, as in Ironic. Set it anew: rackstrap user add ${user}, or htpasswd -B.`,
      )
    users.set(user, value)
  }
  return users
}

/** Lines of NAME:ROLE. @throws ApplianceError  file and line */
export const parseRoles: Parse = (text, path) => {
  const roles = new Map<string, string>()
  for (const { line, user, value } of linesOf(text)) {
    if (!isUserName(user) || !isRole(value))
      throw new ApplianceError(`${path}:${line}: expected NAME:ROLE, the role one of ${ROLES.join(', ')}.`)
    roles.set(user, value)
  }
  return roles
}

/** [api] roles. @returns what is wrong with the first that is */
export function problemOfRoles(entries: readonly string[]): string | undefined {
  const strange = entries.find((entry) => {
    const [name = '', role = '', more] = entry.split(':')
    return !isUserName(name) || !isRole(role) || more !== undefined
  })
  return strange === undefined
    ? undefined
    : `[api] roles has "${strange}": expected NAME:ROLE, the role one of ${ROLES.join(', ')}.`
}

/** role is undefined: the roles cannot be read, and may leave it less than an administrator has. */
export type User = { name: string; hash: string; role: Role | undefined }

export class Users {
  readonly #users: CredentialFile
  readonly #roles: CredentialFile
  readonly #configured: ReadonlyMap<string, Role>

  private constructor(users: CredentialFile, roles: CredentialFile, configured: ReadonlyMap<string, Role>) {
    this.#users = users
    this.#roles = roles
    this.#configured = configured
  }

  /** @param roles  [api] roles. @throws ApplianceError */
  static async open(path: string, roles: readonly string[], log: Log): Promise<Users> {
    const open = (file: string, parse: Parse) =>
      CredentialFile.open({
        ...{ path: file, parse, look_every_ms: 0 },
        isOptional: parse === parseRoles,
        unreadable: (cause) =>
          new ApplianceError(`[DEFAULT] http_basic_auth_user_file ${file} cannot be read: ${cause.message}.`, {
            cause,
          }),
        onStale: ({ message }) =>
          log.error('users of the API cannot be read anew; the old ones stay in force', { reason: message }),
        onGone: () =>
          log.warn('the roles of users are gone; who has none in [api] roles is an administrator', {
            ...{ file, users: users.values.length, in_api_roles: configured.size },
          }),
      })
    const configured = new Map(roles.map((entry) => entry.split(':') as [string, Role]))
    const users = await open(path, parseUsers)
    return new Users(users, await open(rolesFileOf(path), parseRoles), configured)
  }

  /** A hash of somebody, for the time that one costs. */
  get anyHash(): string | undefined {
    return this.#users.values[0]
  }

  /** @returns undefined  there is no such user */
  async find(name: string): Promise<User | undefined> {
    const hash = await this.#users.get(name)
    const given = this.#configured.get(name) ?? (await this.#roles.get(name))
    if (hash === undefined) return undefined
    if (given !== undefined && isRole(given)) return { name, hash, role: given }
    // @source Ironic: with http_basic, whoever has logged in may do all
    return { name, hash, role: this.#roles.isStale ? undefined : 'admin' }
  }
}
