/** Section [sensor_data] of the configuration file, by Ironic's names and defaults. */
import type { Options } from '../plugin-api/index.ts'

export const sensor_data = {
  send_sensor_data: {
    section: 'sensor_data',
    type: 'boolean',
    default: false,
    help: 'Read the sensors of machines now and then, for /metrics.',
  },
  interval: {
    section: 'sensor_data',
    type: 'integer',
    default: 600,
    min: 10,
    unit: 's',
    help: 'How often.',
  },
  workers: {
    section: 'sensor_data',
    type: 'integer',
    default: 4,
    min: 1,
    max: 64,
    help: 'Machines that are asked at a time.',
  },
  wait_timeout: {
    section: 'sensor_data',
    type: 'integer',
    default: 300,
    min: 1,
    unit: 's',
    help: 'How long one machine may take.',
  },
  enable_for_undeployed_nodes: {
    section: 'sensor_data',
    type: 'boolean',
    default: false,
    help: 'Also of machines without an instance.',
  },
} as const satisfies Options
