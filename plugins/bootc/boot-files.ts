/** Files laid over the deploy ramdisk, so that a stock ironic-python-agent pulls from the mirror, too. Ours brings its own and needs none. */
import type { ContainerAccess, ContainerImage } from '@appliance/core/plugin-api'
import { authFile, caFiles, repositoryOf } from './host-files.ts'

/**
 * From the mirror only: what the appliance holds is what is deployed.
 * The ticket lies where podman looks when it is given no file; it is for this image alone, and ends with the deploy.
 */
export function bootFiles({ reference }: ContainerImage, access: ContainerAccess) {
  const { location, insecure, ticket } = access
  const registries = `[[registry]]
prefix = "${repositoryOf(reference)}"
location = "${location}"
insecure = ${insecure}
`
  const files = [
    { path: '/etc/containers/registries.conf.d/50-rackstrap.conf', content: registries, mode: 0o644 },
    ...caFiles(access),
  ]
  if (!ticket) return files
  const auth = Buffer.from(`${ticket.username}:${ticket.password}`).toString('base64')
  return [...files, { path: '/root/.config/containers/auth.json', content: authFile([location], auth), mode: 0o600 }]
}
