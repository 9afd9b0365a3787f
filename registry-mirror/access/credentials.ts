/** What the registry's files of credentials hold: htpasswd, and tokens. */
import { createHash } from 'node:crypto'
import { CredentialFile, linesOf, type Parse } from '@appliance/ground/credential-file'
import { isKnownHash } from '@appliance/ground/passwords'
import type { RegistryLog } from '../config/config.ts'
import { RegistryError } from '../oci/errors.ts'

const USER = /^[\w.@+-]{1,64}$/
/** What WHO may be in a rule beside names. */
const RESERVED = ['anyone', 'users', 'nobody']

/** @throws RegistryError  it cannot be used: file and line, what was found and what was expected */
export const openCredentials = (
  { path, option, parse }: { path: string; option: string; parse: Parse },
  log: RegistryLog,
): Promise<CredentialFile> =>
  CredentialFile.open({
    ...{ path, parse },
    unreadable: (cause) =>
      new RegistryError(`[registry] ${option} ${path} cannot be read: ${cause.message}.`, { cause }),
    onStale: ({ message }) =>
      log.error('credentials cannot be read anew; the old ones stay in force', { error: message }),
  })

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
