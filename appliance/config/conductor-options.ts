/** Section [conductor] of the configuration file, by Ironic's names. */
import type { Options } from '../plugin-api/index.ts'

export const conductor = {
  deploy_callback_timeout: {
    section: 'conductor',
    type: 'integer',
    default: 1800,
    min: 0,
    unit: 's',
    help: 'Longest wait for an agent during a deploy; 0 waits for ever.',
  },
  clean_callback_timeout: {
    section: 'conductor',
    type: 'integer',
    default: 1800,
    min: 0,
    unit: 's',
    help: 'The same for cleaning.',
  },
  check_provision_state_interval: {
    section: 'conductor',
    type: 'integer',
    default: 60,
    min: 1,
    unit: 's',
    help: 'How often deadlines are looked at.',
  },
  sync_power_state_interval: {
    section: 'conductor',
    type: 'integer',
    default: 120,
    min: 0,
    unit: 's',
    help: 'How often power states are read from the BMCs; 0 never.',
  },
  automated_clean: {
    section: 'conductor',
    type: 'boolean',
    default: true,
    help: "Clean a machine before it becomes available: after an undeploy, and with provide. A node's automated_clean stands above it.",
  },
  clean_step_priority_override: {
    section: 'conductor',
    type: 'list',
    default: [],
    help: 'Priorities of clean steps, as interface.step:priority; 0 leaves a step out of automated cleaning. E.g. deploy.erase_devices_express:95.',
  },
  poweroff_in_cleanfail: {
    section: 'conductor',
    type: 'boolean',
    default: false,
    help: 'Power a machine off when one of its clean steps failed. It stays on otherwise: a step may have left it half way.',
  },
  max_concurrent_clean: {
    section: 'conductor',
    type: 'integer',
    default: 50,
    min: 1,
    help: 'Machines at once that are torn down or cleaned.',
  },
  max_concurrent_deploy: { section: 'conductor', type: 'integer', default: 250, min: 1, help: 'Deploys at once.' },
  permitted_image_formats: {
    section: 'conductor',
    type: 'list',
    default: ['raw', 'gpt', 'qcow2', 'iso'],
    help: 'Image formats, by content, that are let through.',
  },
  file_url_allowed_paths: {
    section: 'conductor',
    type: 'list',
    format: 'path',
    default: ['/var/lib/ironic', '/var/lib/rackstrap/images'],
    help: 'Folders that file:// images may lie in.',
  },
} as const satisfies Options
