/** Section [ipmi] of the configuration file, by Ironic's names; its defaults, but for min_command_interval. */
import type { Options } from '../plugin-api/index.ts'

export const ipmi = {
  command_retry_timeout: {
    section: 'ipmi',
    type: 'integer',
    default: 60,
    min: 1,
    unit: 's',
    help: 'How long a command is repeated while the BMC says that it is not ready.',
  },
  min_command_interval: {
    section: 'ipmi',
    type: 'integer',
    default: 0,
    min: 0,
    unit: 's',
    help: 'Rest of a BMC between two commands: some crash when they are asked too often. Ironic has 5.',
  },
  use_ipmitool_retries: {
    section: 'ipmi',
    type: 'boolean',
    default: false,
    help: 'Have ipmitool repeat what gets no answer, min_command_interval apart, instead of the appliance.',
  },
  kill_on_timeout: {
    section: 'ipmi',
    type: 'boolean',
    default: true,
    help: 'End an ipmitool that takes longer than it should; otherwise it runs until the deadline of the whole action.',
  },
  disable_boot_timeout: {
    section: 'ipmi',
    type: 'boolean',
    default: true,
    help: 'Tell the BMC not to forget a boot device after 60 s. A node may say otherwise by ipmi_disable_boot_timeout.',
  },
  additional_retryable_ipmi_errors: {
    section: 'ipmi',
    type: 'list',
    default: [],
    help: 'Words of ipmitool by which a BMC of this site says that it is not ready.',
  },
  cipher_suite_versions: {
    section: 'ipmi',
    type: 'list',
    default: [],
    help: 'Cipher suites to try for nodes without ipmi_cipher_suite, the last one first. Not set: 3, then 17.',
  },
} as const satisfies Options
