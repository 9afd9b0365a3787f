/**
 * What an installed host has in its /etc of this machine alone: root's keys, and how upgrades come through the mirror.
 * Pure.
 */
import type { ContainerAccess, ContainerImage } from '@appliance/core/plugin-api'
import { repositoryOf } from './mirror-text.ts'
import type { Wanted } from './node-fields.ts'

export type HostFile = { path: string; content: string; mode: number }

const base64 = (text: string) => Buffer.from(text).toString('base64')

/**
 * At the place that /root leads to in a bootable container: tmpfiles would come to /root/.ssh before there is one.
 * @source bootc install --root-ssh-authorized-keys
 */
export function keyFiles({ authorized_keys }: Pick<Wanted, 'authorized_keys'>): HostFile[] {
  if (authorized_keys === '') return []
  const content = `f~ /var/roothome/.ssh/authorized_keys 600 root root - ${base64(authorized_keys)}\n`
  return [{ path: '/etc/tmpfiles.d/bootc-root-ssh.conf', content, mode: 0o644 }]
}

/** The name stays the upstream's: the mirror is asked first, and the upstream when there is no mirror any more. */
const mirrorConfig = (reference: string, { location, insecure }: Pick<ContainerAccess, 'location' | 'insecure'>) =>
  `[[registry]]
prefix = "${repositoryOf(reference)}"
location = "${repositoryOf(reference)}"

[[registry.mirror]]
location = "${location}"
insecure = ${insecure}
`

export const caFiles = ({ registry, ca }: ContainerAccess): HostFile[] =>
  ca === undefined ? [] : [{ path: `/etc/containers/certs.d/${registry}/ca.crt`, content: ca, mode: 0o644 }]

/** Of the one repository, upstream and in the mirror. */
export const authFile = (locations: readonly string[], auth: string) =>
  `${JSON.stringify({ auths: Object.fromEntries(locations.map((location) => [location, { auth }])) }, null, 2)}\n`

export function upgradeFiles({ reference }: ContainerImage, access: ContainerAccess, secret?: string): HostFile[] {
  const files = [
    {
      path: '/etc/containers/registries.conf.d/50-rackstrap.conf',
      content: mirrorConfig(reference, access),
      mode: 0o644,
    },
    ...caFiles(access),
  ]
  if (secret === undefined) return files
  const content = authFile([repositoryOf(reference), access.location], secret)
  return [...files, { path: '/etc/ostree/auth.json', content, mode: 0o600 }]
}
