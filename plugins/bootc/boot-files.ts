/**
 * For a stock ironic-python-agent: the files laid over its ramdisk, so that it pulls from the mirror, and what it
 * misreads of a node. Ours needs neither.
 */
import type { ContainerAccess, ContainerImage } from '@appliance/core/plugin-api'
import { authFile, caFiles } from './host-files.ts'
import type { Deploy } from './image.ts'
import { authOf, mirrorOnly } from './mirror-text.ts'
import type { BootcTask } from './options.ts'

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

/**
 * It reads keys and encryption from the node itself, and takes any text for true and a list for none of its business.
 * @throws task.failure  it would do something else than is asked for. @source ironic-python-agent execute_bootc_install
 */
export function checkForStockAgent(task: BootcTask, { wanted }: Pick<Deploy, 'wanted'>): void {
  const { uuid, instance_info } = task.node
  const { bootc_authorized_keys: keys, bootc_tpm2_luks: luks } = instance_info
  if (!wanted.tpm2_luks && typeof luks === 'string' && luks !== '') {
    throw task.failure(
      `instance_info/bootc_tpm2_luks of node ${uuid} is the text "${luks}", which a stock ironic-python-agent takes for true. Set it to false without quotes, or unset it.`,
    )
  }
  if (Array.isArray(keys)) {
    throw task.failure(
      `instance_info/bootc_authorized_keys of node ${uuid} is a list, which a stock ironic-python-agent does not take. Set it to a text, one key a line.`,
    )
  }
}
