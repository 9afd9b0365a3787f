/** A pull secret as a registry's auth file has it: base64 of user:password. It stays in memory. */
import { type Credentials, RegistryError } from '../config/config.ts'

export type PullSecret = string

/** @throws RegistryError  it is none; never tells what it is */
export function credentialsOf(secret: PullSecret | undefined): Credentials | undefined {
  if (secret === undefined) return undefined
  const text = Buffer.from(secret, 'base64').toString()
  const [, username, password] = /^([^:\0\r\n]+):([^\0\r\n]+)$/.exec(text) ?? []
  if (username !== undefined && password !== undefined) return { username, password }
  throw new RegistryError('The pull secret is none: expected base64 of USER:PASSWORD, as a registry auth file has it.')
}
