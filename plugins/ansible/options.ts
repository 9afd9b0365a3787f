/** The options of `ansible`: Ironic's, and those that Ironic has not. @source Ironic conf/ansible.py */
import type { Options } from '@appliance/core/plugin-api'

const section = 'ansible'

/** Ironic's. */
const IRONIC = {
  ansible_extra_args: { section, type: 'string', help: 'More arguments for each run of ansible-playbook.' },
  verbosity: {
    section,
    type: 'integer',
    min: 0,
    max: 4,
    help: 'How much ansible-playbook says in its log, 0 to 4. Not set: 0.',
  },
  ansible_playbook_script: {
    section,
    type: 'string',
    default: 'ansible-playbook',
    help: 'The program ansible-playbook (ansible-core 2.14 or later), as a name or an absolute path.',
  },
  playbooks_path: {
    section,
    type: 'string',
    holds: 'trust',
    format: 'path',
    help: 'Folder of playbooks, roles and the local inventory. Not set: those that come with Rackstrap.',
  },
  config_file_path: {
    section,
    type: 'string',
    holds: 'trust',
    help:
      "Ansible's configuration file. Not set: ansible.cfg in playbooks_path, else one of Rackstrap's own. Host keys are " +
      'checked whatever it says.',
  },
  post_deploy_get_power_state_retries: {
    section,
    type: 'integer',
    min: 0,
    default: 6,
    help: 'How often the power state is read after the shutdown playbook, before the BMC switches off. 0: once.',
  },
  post_deploy_get_power_state_retry_interval: {
    section,
    type: 'integer',
    min: 0,
    default: 5,
    unit: 's',
    help: 'Pause between two readings of the power state.',
  },
  extra_memory: {
    section,
    type: 'integer',
    min: 0,
    default: 10,
    unit: 'MiB',
    help: 'What a machine needs beside the image when it fetches an image whole, for the variable mem_req.',
  },
  image_store_insecure: {
    section,
    type: 'boolean',
    default: false,
    help: 'Machines do not check the certificate of the server that they fetch images from.',
  },
  image_store_cafile: {
    section,
    type: 'string',
    help: 'Path in the ramdisk: authorities for the server of images, as the variable cafile.',
  },
  image_store_certfile: { section, type: 'string', help: 'Path in the ramdisk: as the variable client_cert.' },
  image_store_keyfile: { section, type: 'string', help: 'Path in the ramdisk: as the variable client_key.' },
  default_username: {
    section,
    type: 'string',
    default: 'ansible',
    help: 'Account in the ramdisk, unless driver_info/ansible_username names one. It may use sudo without a password.',
  },
  default_key_file: {
    section,
    type: 'string',
    holds: 'secret',
    format: 'path',
    help: 'Private key for a ramdisk of your own. Not set: a key pair is made for each deploy and cleaning.',
  },
  default_deploy_playbook: {
    section,
    type: 'string',
    default: 'deploy.yaml',
    help: 'File in playbooks_path that deploys.',
  },
  default_shutdown_playbook: {
    section,
    type: 'string',
    default: 'shutdown.yaml',
    help: 'File in playbooks_path that shuts the ramdisk down.',
  },
  default_clean_playbook: {
    section,
    type: 'string',
    default: 'clean.yaml',
    help: 'File in playbooks_path that cleans, by tag.',
  },
  default_clean_steps_config: {
    section,
    type: 'string',
    default: 'clean_steps.yaml',
    help: 'File in playbooks_path with the clean steps.',
  },
  default_python_interpreter: {
    section,
    type: 'string',
    help: "Absolute path of Python on the machine. Not set: Ansible's own choice.",
  },
} as const satisfies Options

export const OPTIONS = {
  ...IRONIC,
  max_concurrent: {
    section,
    type: 'integer',
    min: 1,
    default: 24,
    help: 'So many playbooks run at once; further nodes wait for their turn.',
  },
  playbook_timeout: {
    section,
    type: 'integer',
    min: 1,
    default: 7200,
    unit: 's',
    help: 'A playbook that takes longer is ended.',
  },
  unknown_host_key: {
    section,
    type: 'string',
    default: 'refuse',
    choices: ['refuse', 'accept-new'],
    perNode: ['driver_info'],
    perNodeName: 'ansible_unknown_host_key',
    help:
      'What to do with a ramdisk that has not told its SSH host key (it is none of ours), when driver_info/ansible_host_key ' +
      'is not set: refuse, or accept-new: take the first one for the time of this deploy.',
  },
  log_path: {
    section,
    type: 'string',
    default: '$state_path/ansible',
    help: "Folder for the playbooks' output, a file for each deploy and cleaning. Empty: none is kept.",
  },
  log_files: {
    section,
    type: 'integer',
    min: 1,
    default: 100,
    help: 'So many files are kept in log_path; the oldest go first. Each has at most 16 MiB.',
  },
} as const satisfies Options

export type AnsibleOptions = typeof OPTIONS
