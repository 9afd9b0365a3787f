/**
 * local_link_connection of a port: what it is plugged into.
 * @source Ironic LOCAL_LINK_CONN_SCHEMA, local_link_normalize
 */
import { hasMembers } from '@appliance/ground/exact-number'
import { z } from 'zod'
import { NotAcceptable } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import { MAC, text } from '../../schema.ts'

/** OpenFlow's: the upper 16 bits are the switch's own, the others a MAC. */
const DATAPATH_ID = /^[0-9a-f]{16}$/i
const switchId = text
  .refine((id) => MAC.test(id) || DATAPATH_ID.test(id), {
    error: ({ input }) => `Expected a MAC address or OpenFlow datapath ID but received ${String(input).slice(0, 60)}.`,
  })
  .transform((id) => id.toLowerCase())

const LINK = z.strictObject(
  {
    port_id: text.optional(),
    switch_id: switchId.optional(),
    hostname: text.optional(),
    switch_info: text.optional(),
    network_type: z.enum(['managed', 'unmanaged'], "expected 'managed' or 'unmanaged'").optional(),
    'vtep-logical-switch': text.optional(),
    'vtep-physical-switch': text.optional(),
  },
  'expected an object',
)
type Link = z.output<typeof LINK>

const hasVtep = (link: Link) => link['vtep-logical-switch'] !== undefined && link['vtep-physical-switch'] !== undefined
const isHalfVtep = (link: Link) =>
  (link['vtep-logical-switch'] === undefined) !== (link['vtep-physical-switch'] === undefined)
const isWhole = (link: Link) =>
  Object.keys(link).length === 0 ||
  link.network_type === 'unmanaged' ||
  (link.port_id !== undefined && (link.switch_id !== undefined || link.hostname !== undefined || hasVtep(link)))

/** Of a switch, of a smart NIC, of OVN, unmanaged, or nothing. */
export const localLink = LINK.refine(
  (link) => !isHalfVtep(link),
  'expected vtep-logical-switch and vtep-physical-switch together',
).refine(isWhole, 'expected port_id with switch_id or hostname, or network_type unmanaged, or nothing')

/** @throws NotAcceptable  a member that this version does not have */
export function checkLinkVersion(link: unknown, minor: number): void {
  const given = (link ?? {}) as Json
  const isTooOld = ('network_type' in given && minor < 64) || ('vtep-logical-switch' in given && !hasOvn(minor))
  if (!isTooOld) return
  throw new NotAcceptable(
    'Request not acceptable. network_type in local_link_connection came with API version 1.64, and vtep-logical-switch is of 1.90 to 1.104',
  )
}

/** A version without vtep names sees none of such a link. @source Ironic hide_fields_in_newer_versions */
export const shownLink = (link: unknown, minor: number): unknown =>
  hasMembers(link) && 'vtep-logical-switch' in link && !hasOvn(minor) ? {} : link

const hasOvn = (minor: number) => minor >= 90 && minor < 105
