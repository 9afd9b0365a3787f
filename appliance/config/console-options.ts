/** Section [console] of the configuration file, by Ironic's names. */
import type { Options } from '../plugin-api/index.ts'

export const console = {
  socat_address: {
    section: 'console',
    type: 'string',
    default: '127.0.0.1',
    help: 'Where consoles listen. No password is asked there: whoever can connect has the machine. Reach it by ssh. Ironic has my_ip.',
  },
  port_range: {
    section: 'console',
    type: 'string',
    default: '',
    help: 'Ports of consoles, such as 10000:10100. Empty: any that is free.',
  },
} as const satisfies Options
