/** The options of `direct`: Ironic's credentials for servers that agents fetch images from. */
import type { Options } from '@appliance/core/plugin-api'

export const OPTIONS = {
  image_server_auth_strategy: {
    section: 'deploy',
    type: 'string',
    default: 'noauth',
    choices: ['noauth', 'http_basic'],
    help: 'How agents authenticate to the server named by image_source: noauth, or http_basic with image_server_user and image_server_password.',
  },
  image_server_user: { section: 'deploy', type: 'string', help: 'User name for http_basic.' },
  image_server_password: { section: 'deploy', type: 'string', help: 'Password for http_basic.' },
} as const satisfies Options

export type DirectOptions = typeof OPTIONS
