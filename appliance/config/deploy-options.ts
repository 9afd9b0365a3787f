/** Section [deploy] of the configuration file, by Ironic's names. */
import type { Options } from '../plugin-api/index.ts'

export const deploy = {
  http_url: {
    section: 'deploy',
    type: 'string',
    default: 'http://$my_ip:8080',
    help: 'Base of what machines fetch. Its port is listened on; 0 takes any free one.',
  },
  http_root: {
    section: 'deploy',
    type: 'string',
    format: 'path',
    default: '$state_path/httpboot',
    help: 'Folder of the files served there.',
  },
  http_image_subdir: {
    section: 'deploy',
    type: 'string',
    default: 'agent_images',
    help: 'Path of images under http_url.',
  },
  external_http_url: {
    section: 'deploy',
    type: 'string',
    format: 'url',
    help: 'What machines are told instead of http_url.',
  },
  external_callback_url: {
    section: 'deploy',
    type: 'string',
    format: 'url',
    help: 'Base of lookup and heartbeat that agents are told instead of the address of http_url, as with a proxy between.',
  },
  default_boot_mode: {
    section: 'deploy',
    type: 'string',
    default: 'uefi',
    choices: ['uefi', 'bios'],
    help: 'Boot mode of nodes that name none.',
  },
  power_off_after_deploy_failure: {
    section: 'deploy',
    type: 'boolean',
    default: true,
    help: 'Power a machine off when its deploy failed.',
  },
  erase_devices_metadata_priority: {
    section: 'deploy',
    type: 'integer',
    min: 0,
    help: "Priority of the agent's clean step that erases partition tables and signatures of file systems; 0 leaves it out, the agent's own (99) when not set.",
  },
  erase_devices_priority: {
    section: 'deploy',
    type: 'integer',
    default: 0,
    min: 0,
    help: "Priority of the agent's clean step that overwrites whole disks; 0 leaves it out. Ironic leaves it to the agent (10), which takes a day for large disks; Metal3 and Bifrost set 0, too.",
  },
  disk_erasure_concurrency: {
    section: 'deploy',
    type: 'integer',
    default: 4,
    min: 1,
    help: 'Disks of a machine that are erased at once.',
  },
  erase_skip_read_only: {
    section: 'deploy',
    type: 'boolean',
    default: false,
    help: 'Pass over read-only disks when whole disks are erased. Else the cleaning fails: their data stays.',
  },
  shred_random_overwrite_iterations: {
    section: 'deploy',
    type: 'integer',
    default: 1,
    min: 0,
    help: "How often a stock ironic-python-agent overwrites a disk with random data. This appliance's own writes zeros once.",
  },
  shred_final_overwrite_with_zeros: {
    section: 'deploy',
    type: 'boolean',
    default: true,
    help: 'Whether a stock ironic-python-agent writes zeros after that.',
  },
  enable_ata_secure_erase: {
    section: 'deploy',
    type: 'boolean',
    default: true,
    help: 'Whether a stock ironic-python-agent erases ATA disks by their own command.',
  },
  enable_nvme_secure_erase: {
    section: 'deploy',
    type: 'boolean',
    default: true,
    help: 'The same for NVMe disks.',
  },
  continue_if_disk_secure_erase_fails: {
    section: 'deploy',
    type: 'boolean',
    default: false,
    help: 'Whether a stock ironic-python-agent overwrites a disk whose own command fails. Else the cleaning fails.',
  },
} as const satisfies Options
