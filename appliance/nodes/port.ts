/** The port record: one network card of a machine, found by its MAC. */
import type { Json } from '../plugin-api/index.ts'

export type Port = {
  uuid: string
  created_at: string
  updated_at: string | null
  /** MAC, lower case with colons; unique over all ports. */
  address: string
  node_uuid: string
  name: string | null
  description: string | null
  category: string | null
  vendor: string | null
  pxe_enabled: boolean
  local_link_connection: Json
  portgroup_uuid: string | null
  physical_network: string | null
  is_smartnic: boolean
  extra: Json
  internal_info: Json
}
