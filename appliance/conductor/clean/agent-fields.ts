/** What an agent reads of how disks are to be erased, in the node's driver_internal_info. */
import type { Config } from '../../config/options.ts'
import type { EraseInfo } from '../../records/kinds/internal-info.ts'

/** @source Ironic deploy_utils.agent_add_clean_params */
export const eraseFields = ({ deploy }: Pick<Config, 'deploy'>) =>
  ({
    agent_erase_devices_iterations: deploy.shred_random_overwrite_iterations,
    agent_erase_devices_zeroize: deploy.shred_final_overwrite_with_zeros,
    agent_continue_if_secure_erase_failed: deploy.continue_if_disk_secure_erase_fails,
    agent_continue_if_ata_erase_failed: deploy.continue_if_disk_secure_erase_fails,
    agent_enable_nvme_secure_erase: deploy.enable_nvme_secure_erase,
    agent_enable_ata_secure_erase: deploy.enable_ata_secure_erase,
    disk_erasure_concurrency: deploy.disk_erasure_concurrency,
    agent_erase_skip_read_only: deploy.erase_skip_read_only,
  }) satisfies EraseInfo

/** What the end of a cleaning removes. */
export const ERASE_FIELDS: readonly (keyof EraseInfo)[] = [
  'agent_erase_devices_iterations',
  'agent_erase_devices_zeroize',
  'agent_continue_if_secure_erase_failed',
  'agent_continue_if_ata_erase_failed',
  'agent_enable_nvme_secure_erase',
  'agent_enable_ata_secure_erase',
  'disk_erasure_concurrency',
  'agent_erase_skip_read_only',
]
