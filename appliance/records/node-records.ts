/** What is particular to the records of nodes: unique fields, what is never on the disk, and how they are found. */
import { type Backing, DurableRecords, type Kind } from './durable-records.ts'
import { type Node, newNode } from './kinds/node.ts'
import { isUuid } from './storage/document.ts'
import type { Nodes } from './store.ts'

/** Sentences are Ironic's. */
const NODES: Kind<Node> = {
  name: 'nodes',
  noun: 'Node',
  uniques: [
    {
      field: 'name',
      claimOf: ({ name }) => name,
      conflict: ({ name }) => `A node with name ${name} already exists.`,
    },
    {
      field: 'instance_uuid',
      claimOf: ({ instance_uuid }) => instance_uuid,
      conflict: ({ instance_uuid, uuid }) =>
        `Instance ${instance_uuid} is already associated with a node, it cannot be associated with this other node ${uuid}`,
    },
  ],
  // A reservation belongs to a task, and no task survives the process.
  volatile: { reservation: null },
}

export class NodeRecords extends DurableRecords<Node> implements Nodes {
  constructor(backing: Backing) {
    super(NODES, backing)
  }

  byName(name: string): Node | undefined {
    return this.by('name', name)
  }

  byInstance(instance_uuid: string): Node | undefined {
    return this.by('instance_uuid', instance_uuid)
  }

  find(ident: string): Node {
    const uuid = ident.toLowerCase()
    const node = isUuid(uuid) ? this.get(uuid) : this.byName(ident)
    if (!node) throw this.notFound(ident)
    return node
  }
}

/** What a field is that a document of an older version does not have. */
export const nodeDefaults = (): Node => newNode({ driver: '', interfaces: {} as Node['interfaces'] })
