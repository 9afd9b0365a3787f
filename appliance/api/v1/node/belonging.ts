/** What records that belong to a node have in common: how lists are narrowed by it, and where they may move. */
import type { Node } from '../../../records/kinds/node.ts'
import { type Filter, filter } from '../../collection.ts'
import type { ApiParts } from '../../parts.ts'
import { commaList, ident } from '../../schema.ts'
import { linkedNode } from './names.ts'

type Belonging = { node_uuid: string }

/** @param since  first versions of the filters that came later */
export function filtersByNode<R extends Belonging>({ store: { nodes } }: ApiParts, since: { shard: number }) {
  const nodeOf = ({ node_uuid }: R) => nodes.get(node_uuid)
  return {
    node: filter(ident, ({ node_uuid }: R, wanted) => node_uuid === nodes.find(wanted).uuid),
    shard: filter(commaList, (one: R, wanted) => wanted.includes(nodeOf(one)?.shard?.toLowerCase() ?? ''), since.shard),
    conductor_groups: filter(commaList, (one: R, wanted) => wanted.includes(nodeOf(one)?.conductor_group ?? '')),
  } satisfies Record<string, Filter<R>>
}

/** The node that a record is moved to by a patch, or stays at. @throws InvalidParameterValue */
export function nodeAfter(parts: ApiParts, record: Belonging, node_uuid: unknown): Node {
  const now = parts.store.nodes.find(record.node_uuid)
  return typeof node_uuid === 'string' ? linkedNode(parts, node_uuid, { field: 'node_uuid', owner: now.owner }) : now
}

/** Whether a list is asked for by more than one of these. */
export const asksForSeveral = (asked: readonly unknown[]): boolean =>
  asked.filter((each) => each !== undefined && each !== false).length > 1
