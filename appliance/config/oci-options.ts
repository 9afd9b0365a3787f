/** Section [oci] of the configuration file, by Ironic's name. */
import type { Options } from '../plugin-api/index.ts'

export const oci = {
  authentication_config: {
    section: 'oci',
    type: 'string',
    help: 'Registry auth file (JSON, as podman login writes it) with pull secrets for container images of nodes that bring none. Read anew each time.',
  },
} as const satisfies Options
