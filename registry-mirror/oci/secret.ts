/** A pull secret as a registry's auth file has it: base64 of user:password. It stays in memory. */
import { RegistryError } from './errors.ts'

export type PullSecret = string
export type Credentials = { username: string; password: string }

/** @throws RegistryError  the text is none; the message never quotes it */
export function credentialsOf(secret: PullSecret | undefined): Credentials | undefined {
  if (secret === undefined) return undefined
  const text = Buffer.from(secret, 'base64').toString()
  const [, username, password] = /^([^:\0\r\n]+):([^\0\r\n]+)$/.exec(text) ?? []
  if (username !== undefined && password !== undefined) return { username, password }
  throw new RegistryError('The pull secret is none: expected base64 of USER:PASSWORD, as a registry auth file has it.')
}
