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
  image_server_auth_hosts: {
    section: 'deploy',
    type: 'list',
    default: [],
    help: 'Hosts that image_server_user and its password are given to: names, or a dot and a domain for all below it. Empty: to none.',
  },
  image_server_auth_permit_unknown_hosts: {
    section: 'deploy',
    type: 'boolean',
    default: false,
    help: 'Whether they are given to every host while image_server_auth_hosts is empty, also to those that users name.',
  },
} as const satisfies Options

export type DirectOptions = typeof OPTIONS
