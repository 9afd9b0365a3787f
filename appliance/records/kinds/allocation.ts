/** The allocation record: who wants a machine, of what kind, and which one it got. Its uuid is the instance's. */
import type { Json } from '../../plugin-api/index.ts'
import type { Base, Kind } from '../kind.ts'

export type Allocation = Base & {
  name: string | null
  resource_class: string | null
  /** All of them a node has to have. */
  traits: readonly string[]
  /** Uuids of the nodes to choose from; any when empty. */
  candidate_nodes: readonly string[]
  /** A project: its own nodes, and those lent to it, are chosen from. */
  owner: string | null
  state: 'allocating' | 'active' | 'error'
  last_error: string | null
  node_uuid: string | null
  extra: Json
}

/** The row of allocations. Sentences are Ironic's. */
export const ALLOCATIONS: Kind<Allocation, 'name', 'node_uuid'> = {
  noun: 'Allocation',
  defaults: {
    name: null,
    resource_class: null,
    traits: [],
    candidate_nodes: [],
    owner: null,
    state: 'allocating',
    last_error: null,
    node_uuid: null,
    extra: {},
  },
  unique: { name: { conflict: ({ name }) => `An allocation with name ${name} already exists.` } },
  indexes: ['node_uuid'],
  owner: { kind: 'nodes', field: 'node_uuid', isOptional: true },
}
