/** The port as the API tells it: every field, since which microversion, what may be written and how. */
import type { Port } from '../../../records/kinds/port.ts'
import { type Fields, objectField, RECORD_FIELDS, switchField } from '../../fields.ts'
import { dict, limitedText, mac, text, uuid } from '../../schema.ts'
import { localLink, shownLink } from './local-link.ts'

/** @source Ironic api/controllers/v1/port.py */
export const PORT_FIELDS: Fields<Port> = {
  ...RECORD_FIELDS,
  address: { write: mac },
  category: { since: 101, write: limitedText(80).nullable() },
  available_for_dynamic_portgroup: { since: 111, ...switchField(true) },
  description: { since: 97, write: limitedText(255).nullable() },
  extra: objectField(dict),
  internal_info: { since: 18, none: {}, sortable: false },
  is_smartnic: { since: 53, ...switchField(false) },
  local_link_connection: { since: 19, ...objectField(localLink), show: shownLink },
  name: { since: 88, write: limitedText(255).nullable() },
  node_uuid: { write: text, sortable: false },
  physical_network: {
    since: 34,
    write: limitedText(64).min(1, 'A non-empty value is required when setting physical_network').nullable(),
  },
  portgroup_uuid: { since: 24, write: uuid.nullable(), sortable: false },
  pxe_enabled: { since: 19, ...switchField(true) },
  vendor: { since: 100, write: limitedText(32).nullable() },
}
export const PORT_DEFAULTS = ['uuid', 'address']
