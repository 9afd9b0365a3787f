/** How disks are to be erased, as the node tells it. @source Ironic deploy_utils.agent_add_clean_params */
import type { NodeRecord } from '../hardware/root-device.ts'
import type { AgentOptions } from '../kernel-parameters.ts'

export type Wishes = {
  nvme_secure_erase: boolean
  ata_secure_erase: boolean
  /** A disk that is to erase itself, and does not, is overwritten. */
  overwrites_instead: boolean
  /** A discard whose places read zeros afterwards counts as an erasing. */
  discards: boolean
  random_passes: number
  zeros_last: boolean
  skips_read_only: boolean
  at_once: number
}

const AT_ONCE_LIMIT = 64
const PASSES_LIMIT = 100

/** Nobody has said anything: secure erase where there is one, and zeros. */
export function wishesOf({ node, options }: { node: NodeRecord; options: AgentOptions }): Wishes {
  const { driver_internal_info: told } = node
  const info = told !== null && typeof told === 'object' ? (told as Readonly<Record<string, unknown>>) : {}
  const count = (name: string, least: number, most: number) =>
    Number.isInteger(info[name]) ? Math.min(Math.max(Number(info[name]), least), most) : least
  const continues = info.agent_continue_if_secure_erase_failed ?? info.agent_continue_if_ata_erase_failed
  return {
    nvme_secure_erase: info.agent_enable_nvme_secure_erase !== false,
    ata_secure_erase: info.agent_enable_ata_secure_erase !== false,
    overwrites_instead: continues === true,
    discards: (info.agent_enable_discard_erase ?? options.enable_discard_erase) === true,
    random_passes: count('agent_erase_devices_iterations', 0, PASSES_LIMIT),
    zeros_last: info.agent_erase_devices_zeroize !== false,
    skips_read_only: info.agent_erase_skip_read_only === true,
    at_once: count('disk_erasure_concurrency', 1, AT_ONCE_LIMIT),
  }
}
