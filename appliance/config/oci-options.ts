/** Ironic's options for container images from registries that want credentials. */
import type { Options } from '../plugin-api/index.ts'

export const oci = {
  authentication_config: {
    section: 'oci',
    type: 'string',
    holds: 'secret',
    format: 'path',
    help: 'Registry auth file (JSON, as podman login writes it) with pull secrets for container images of nodes that bring none. Read anew each time.',
  },
  // Ironic has them in [deploy]; the deploy interface direct hands them to agents, too.
  image_server_user: {
    section: 'deploy',
    type: 'string',
    help: 'User name for http_basic, and for registries that ask for credentials when neither the node nor [oci] authentication_config has a pull secret.',
  },
  image_server_password: { section: 'deploy', type: 'string', help: 'Password of image_server_user.' },
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
