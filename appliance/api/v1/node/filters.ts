/** What lists of nodes can be narrowed by: one row a query parameter. */
import { z } from 'zod'
import { STATES } from '../../../conductor/states/state-machine.ts'
import type { Node, ProvisionState } from '../../../records/kinds/node.ts'
import { type Filter, filter } from '../../collection.ts'
import { commaList, flag, ident, text, uuid } from '../../schema.ts'

/** @source Ironic common/faults.py */
const FAULTS = ['power failure', 'clean failure', 'rescue abort failure', 'service failure']
const provisionState = text.refine((state) => Object.hasOwn(STATES, state), {
  error: ({ input }) => `Provision state "${String(input).slice(0, 60)}" is not valid`,
})
/** A filter for one field that must be equal. */
const equal = (field: keyof Node, since?: number, schema: z.ZodType = text) =>
  filter<Node, z.ZodType>(schema, (node, wanted) => node[field] === wanted, since)

/** @param hostname  of the one conductor, which holds all nodes */
export const nodeFilters = (hostname: string): Readonly<Record<string, Filter<Node>>> => ({
  instance_uuid: equal('instance_uuid', 0, uuid),
  associated: filter(flag, (node, wanted) => (node.instance_uuid !== null) === wanted),
  maintenance: equal('maintenance', 0, flag),
  retired: equal('retired', 0, flag),
  provision_state: filter(provisionState, (node, wanted) => node.provision_state === (wanted as ProvisionState), 9),
  driver: equal('driver', 16),
  resource_class: equal('resource_class', 21),
  conductor_group: filter(text, (node, wanted) => node.conductor_group === wanted.toLowerCase(), 46),
  conductor: filter(text, (_, wanted) => wanted === hostname, 49),
  chassis_uuid: equal('chassis_uuid', 0, uuid),
  fault: equal('fault', 42, z.enum(FAULTS, `expected one of ${FAULTS.join(', ')}`)),
  owner: equal('owner', 50),
  lessee: equal('lessee', 65),
  project: filter(text, (node, wanted) => node.owner === wanted || node.lessee === wanted),
  description_contains: filter(text, (node, wanted) => node.description?.includes(wanted) ?? false),
  shard: filter(commaList, (node, wanted) => node.shard !== null && wanted.includes(node.shard.toLowerCase()), 82),
  sharded: filter(flag, (node, wanted) => (node.shard !== null) === wanted, 82),
  parent_node: equal('parent_node', 83, ident),
  // Decided where the candidates are taken, see nodes.ts.
  include_children: filter(flag, () => true, 83),
  instance_name: equal('instance_name', 104),
})
