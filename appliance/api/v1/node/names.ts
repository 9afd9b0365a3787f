/** Names of nodes, and how a path finds its node. */
import { InvalidParameterValue, NotAcceptable } from '../../../errors.ts'
import type { Node } from '../../../records/kinds/node.ts'
import type { ApiParts, Call } from '../../parts.ts'
import { findRecord } from '../../resource.ts'
import { isLogicalName, isUuid } from '../../schema.ts'

/** What stands at the place of a node in a path of ours. @source Ironic get_controller_reserved_names */
const RESERVED = ['maintenance', 'management', 'states', 'vendor_passthru', 'detail', 'validate']
/** @source Ironic common/utils.is_hostname_safe, for versions below 1.10 */
const HOST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i

/** @param refusal  begins the message, e.g. `Cannot create node with invalid name` */
export function checkName(name: string, minor: number, refusal: string): void {
  if (minor < NAMED_SINCE) throw new NotAcceptable('Request not acceptable. Names of nodes came with API version 1.5')
  const fits = minor < 10 ? HOST_NAME.test(name) && name.length <= 255 : isLogicalName(name)
  if (!fits || isUuid(name)) {
    throw new InvalidParameterValue(
      `${refusal} '${name.slice(0, 260)}': expected 1 to 255 letters, digits and '-._~', not only dots, and no UUID.`,
    )
  }
  if (RESERVED.includes(name)) {
    throw new InvalidParameterValue(
      `The word "${name}" is reserved and can not be used as a node name. Reserved words are: ${RESERVED.join(', ')}.`,
    )
  }
}

/** Since when nodes have names. */
export const NAMED_SINCE = 5

/** @throws InvalidParameterValue (neither uuid nor name), NotFound */
export const findNode = ({ store }: Pick<ApiParts, 'store'>, ident: string, minor: number): Node =>
  findRecord({ noun: 'Node', named: NAMED_SINCE, records: store.nodes }, ident, minor)

/** The node that the path names. */
export const nodeOf = (call: Call, parts: Pick<ApiParts, 'store'>): Node =>
  findNode(parts, call.req.param('node') ?? '', call.get('minor'))

/**
 * The node that a field of another record names.
 * @param link.owner  of the record's own node: what belongs to one project is not put under another's node
 * @throws InvalidParameterValue
 * @source Ironic authorize_node_link
 */
export function linkedNode(
  parts: Pick<ApiParts, 'store'>,
  ident: string,
  link: { field: string; owner: string | null },
): Node {
  const node = isUuid(ident) ? parts.store.nodes.get(ident) : parts.store.nodes.by('name', ident)
  if (node?.owner === link.owner) return node
  throw new InvalidParameterValue(
    `Unable to apply the requested ${link.field} '${ident.slice(0, 60)}'. Requested value was invalid: ` +
      `${node ? 'that node has another owner' : 'there is no such node'}.`,
  )
}
