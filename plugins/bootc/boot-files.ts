/** Files laid over the deploy ramdisk, so that a stock ironic-python-agent pulls from the mirror, too. Ours brings its own and needs none. */
import type { ContainerAccess, ContainerImage } from '@appliance/core/plugin-api'
import { authFile, caFiles } from './host-files.ts'
import { authOf, mirrorOnly } from './mirror-text.ts'

/**
 * From the mirror only: what the appliance holds is what is deployed.
 * The ticket lies where podman looks when it is given no file; it is for this image alone, and ends with the deploy.
 */
export function bootFiles({ reference }: ContainerImage, access: ContainerAccess) {
  const { location, ticket } = access
  const files = [
    {
      path: '/etc/containers/registries.conf.d/50-rackstrap.conf',
      content: mirrorOnly(reference, access),
      mode: 0o644,
    },
    ...caFiles(access),
  ]
  if (!ticket) return files
  return [
    ...files,
    { path: '/root/.config/containers/auth.json', content: authFile([location], authOf(ticket)), mode: 0o600 },
  ]
}
