/** What a client asks of a node's life. */
import type { Json } from '../../plugin-api/index.ts'

/** Body of PUT /v1/nodes/{node}/states/provision. */
export type ProvisionRequest = {
  target: string
  configdrive?: string | Json | null
  deploy_steps?: readonly Json[]
  clean_steps?: readonly Json[]
  service_steps?: readonly Json[]
  rescue_password?: string
  disable_ramdisk?: boolean
}
