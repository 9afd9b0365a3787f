/** Which secrets of a node go with which of its addresses. */

/** A member of one of the node's tables, such as `driver_info/ipmi_password`. */
export type NodePath = `driver_info/${string}` | `instance_info/${string}`

/**
 * Secrets that are told to whoever answers at an address. When somebody who is not an authenticated administrator
 * changes one of the fields of the address, and does not give the secrets anew, they are gone from the node.
 */
export type BoundSecrets = {
  secrets: readonly NodePath[]
  /**
   * The address itself first: while the node has none, the secrets are bound to nothing. Of a URL, the scheme, the host
   * and the port count.
   */
  address: readonly NodePath[]
  /** What a field of the address means while it is not set: `{ 'driver_info/ipmi_port': '623' }`. */
  defaults?: Readonly<Partial<Record<NodePath, string>>>
}
