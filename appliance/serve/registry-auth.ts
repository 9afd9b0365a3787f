/** Pull secrets of the box, for container images of nodes that bring none. Never shows them. */
import { readFile } from 'node:fs/promises'
import { isMissing } from '@appliance/ground/errno'
import { inAuthFile } from '@appliance/registry-mirror/settings'
import { DeployFailure } from '../errors.ts'
import type { PullSecret } from '../plugin-api/index.ts'

/** The credentials as the configuration has them. */
export type BoxSecrets = {
  /** A registry auth file as podman and docker have it. */
  authentication_config?: string | undefined
  /** Credentials for every registry that asks for some. */
  image_server_user?: string | undefined
  image_server_password?: string | undefined
  image_server_auth_hosts?: readonly string[]
  image_server_auth_permit_unknown_hosts?: boolean
}
export const base64Of = ({ username, password }: { username: string; password: string }): PullSecret =>
  Buffer.from(`${username}:${password}`).toString('base64')

/** @param reference  HOST[:PORT]/... @source Ironic 39 image_service.py, permitted hosts of credentials */
export function mayHaveGeneral(reference: string, secrets: BoxSecrets): boolean {
  const { image_server_auth_hosts: hosts = [], image_server_auth_permit_unknown_hosts: permitsAll = false } = secrets
  if (hosts.length === 0) return permitsAll
  const host = reference.split('/')[0]?.replace(/:\d+$/, '').toLowerCase() ?? ''
  return hosts.some((name) => (name.startsWith('.') ? host.endsWith(name.toLowerCase()) : host === name.toLowerCase()))
}

/** @returns undefined: one of the two is missing */
export function generalSecret({ image_server_user: username, image_server_password: password }: BoxSecrets) {
  return username && password ? base64Of({ username, password }) : undefined
}

/** @returns undefined: this registry has none. @throws DeployFailure  the file cannot be used */
export async function secretInFile(path: string | undefined, reference: string): Promise<PullSecret | undefined> {
  if (path === undefined || path === '') return undefined
  const unusable = (why: string) =>
    new DeployFailure(
      `[oci] authentication_config ${path} cannot be used: ${why}. Correct it, or take the option away.`,
    )
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw unusable(isMissing(error) ? 'there is no such file' : error.message)
  })
  const found = inAuthFile(text, reference)
  if (found && 'problem' in found) throw unusable(found.problem)
  return found && base64Of(found.credentials)
}
