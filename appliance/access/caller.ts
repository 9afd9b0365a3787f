/** Who asks: what every request of the API carries from the door to the record that it changes. */

/**
 * admin may do all. operator may do all about machines, but what an authenticated administrator alone may. observer
 * may read. machine is nobody in particular: it may look itself up and send heartbeats.
 */
export const ROLES = ['admin', 'operator', 'observer'] as const
export type Role = (typeof ROLES)[number]

export type Caller = {
  /** Left out: nobody logged in, as with noauth, over the unix socket, and on the rack's side. */
  user?: string
  role: Role | 'machine'
  /** Of the client, as the socket has it; empty over the unix socket. */
  address: string
  /** rack: the listener that machines ask. */
  via: 'socket' | 'tcp' | 'rack'
}
