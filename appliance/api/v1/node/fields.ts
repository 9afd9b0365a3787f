/**
 * The node as the API tells it: every field, since which microversion, what may be written and how. A row is all that a
 * new field needs.
 */

import { maskSecrets } from '@appliance/ground/secret-words'
import type { z } from 'zod'
import { INTERFACE_TYPES, type InterfaceType, type Node } from '../../../records/kinds/node.ts'
import { type Field, type Fields, objectField, RECORD_FIELDS, switchField } from '../../fields.ts'
import { flag, limitedText, text, uuid } from '../../schema.ts'
import { secretTable } from './kept-secrets.ts'
import { networkData } from './network-data.ts'

export const DESCRIPTION_LIMIT = 4096
/** Minor versions of the interfaces that came one by one; the others came with 1.31. */
const INTERFACE_SINCE: Partial<Record<InterfaceType, number>> = {
  network: 20,
  storage: 33,
  rescue: 38,
  bios: 40,
  firmware: 86,
}
export const interfaceField = (type: InterfaceType) => `${type}_interface`

const masked = (value: unknown) => maskSecrets(value)

/** @source Ironic: `available` was NOSTATE before 1.2, `inspect wait` did not exist before 1.39 */
function provisionStateFor(value: unknown, minor: number): unknown {
  if (value === 'available' && minor < 2) return null
  return value === 'inspect wait' && minor < 39 ? 'inspecting' : value
}

const nullable = (schema: z.ZodType) => schema.nullable()
/** A field that is an object; removing it empties it. */
const object = (field: Field<Node> = {}): Field<Node> => ({ none: {}, sortable: false, ...field })
const interfaces = Object.fromEntries(
  INTERFACE_TYPES.map((type): [string, Field<Node>] => [
    interfaceField(type),
    {
      since: INTERFACE_SINCE[type] ?? 31,
      read: (node) => node.interfaces[type] ?? null,
      write: nullable(text),
    },
  ]),
)

/** @source Ironic api/controllers/v1/node.py (node_schema, PATCH_ALLOWED_FIELDS), utils.py (VERSIONED_FIELDS) */
export const NODE_FIELDS: Fields<Node> = {
  ...RECORD_FIELDS,
  allocation_uuid: { since: 52, sortable: false },
  automated_clean: { since: 47, write: nullable(flag) },
  boot_mode: { since: 75, write: nullable(text), on: 'create' },
  chassis_uuid: { write: nullable(uuid), sortable: false },
  clean_step: object({ since: 7, show: masked }),
  conductor: { since: 49, sortable: false },
  conductor_group: {
    since: 46,
    write: limitedText(255)
      .nullable()
      .transform((value) => (value ?? '').toLowerCase()),
    none: '',
  },
  console_enabled: { ...switchField(false), on: 'create' },
  deploy_step: object({ since: 44, show: masked }),
  description: { since: 51, write: nullable(limitedText(DESCRIPTION_LIMIT)) },
  disable_power_off: { since: 95, ...switchField(false) },
  driver: { write: text },
  driver_info: secretTable,
  driver_internal_info: object({ since: 3, show: masked }),
  extra: secretTable,
  fault: { since: 42 },
  health: { since: 109, read: () => null },
  inspection_finished_at: { since: 6 },
  inspection_started_at: { since: 6 },
  instance_info: secretTable,
  instance_name: { since: 104, write: nullable(limitedText(255).min(1, 'expected at least one character')) },
  instance_uuid: { write: nullable(uuid) },
  last_error: {},
  lessee: { since: 65, write: nullable(limitedText(255)) },
  maintenance: switchField(false),
  maintenance_reason: {},
  name: { since: 5, write: nullable(text) },
  network_data: { since: 66, ...secretTable, ...objectField(networkData) },
  owner: { since: 50, write: nullable(limitedText(255)) },
  parent_node: { since: 83, write: nullable(limitedText(255)) },
  power_state: {},
  properties: secretTable,
  protected: { since: 48, ...switchField(false), on: 'patch' },
  protected_reason: { since: 48, write: nullable(text), on: 'patch' },
  provision_state: { show: provisionStateFor },
  provision_updated_at: {},
  raid_config: object({ since: 12, show: masked }),
  reservation: {},
  resource_class: { since: 21, write: nullable(limitedText(80)) },
  retired: { since: 61, ...switchField(false) },
  retired_reason: { since: 61, write: nullable(text) },
  secure_boot: { since: 75, write: nullable(flag), on: 'create' },
  service_step: object({ since: 87, show: masked }),
  shard: { since: 82, write: nullable(limitedText(255)) },
  target_power_state: {},
  target_provision_state: {},
  target_raid_config: object({ since: 12, show: masked }),
  traits: {
    since: 37,
    none: [],
    sortable: false,
    notByPatch: 'Cannot update node traits via node patch. Node traits should be updated via the node traits API.',
  },
  ...interfaces,
}

/** Link lists of a whole node, with their first version. */
export const NODE_SUBRESOURCES = { ports: 0, states: 14, portgroups: 24, volume: 32 }
export const LIST_DEFAULTS = ['uuid', 'instance_uuid', 'maintenance', 'power_state', 'provision_state', 'name']
