/** What the rest of the appliance knows of storage. open-store.ts keeps it on lowdb; another engine may stand behind it. */
import type { Node } from './kinds/node.ts'
import type { Port } from './kinds/port.ts'

/**
 * Records of one kind, whole in memory. What `get` and `all` give is durable and frozen: change it by `update` only. A write
 * that rejects with InsufficientStorage (disk full) or another ApplianceError has changed nothing, here or on the disk.
 */
export type Records<R extends { uuid: string }> = {
  readonly size: number
  get(uuid: string): R | undefined
  /** In order of creation. */
  all(): Iterable<R>
  /** Resolves when durable. @throws Conflict  uuid, or another unique field, is taken */
  create(record: R): Promise<R>
  /**
   * Applies `change` to the record as it is now, changes still under way included, in one turn of the event loop; resolves when
   * durable. Sets updated_at unless `quiet`. A change of nothing but a node's `reservation` shows at once and is never durable.
   * @throws NotFound, Conflict (unique fields)
   */
  update(uuid: string, change: Partial<R> | ((record: R) => Partial<R>), options?: { quiet?: boolean }): Promise<R>
  /** Resolves when durable. @throws NotFound */
  delete(uuid: string): Promise<void>
}

export type Nodes = Records<Node> & {
  byName(name: string): Node | undefined
  /** By uuid, or by name when it is none. @throws NotFound */
  find(ident: string): Node
  byInstance(instance_uuid: string): Node | undefined
}
export type Ports = Records<Port> & {
  byAddress(mac: string): Port | undefined
  ofNode(node_uuid: string): readonly Port[]
}
export type Store = {
  readonly nodes: Nodes
  readonly ports: Ports
  /** What happened while opening: generations taken back, journal ends dropped. Also logged. */
  readonly repairs: readonly string[]
  /** Waits for writes under way, and releases state_path. */
  close(): Promise<void>
}
