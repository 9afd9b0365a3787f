/** One node as a verb, a step or a wait is handed it: its record as it is now, and the ways to change that. */
import type { InternalChange } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import { merged, type Parts } from '../parts/parts.ts'
import { type HistoryParts, rememberError, rememberSteps } from './history.ts'
import { lastErrorOf } from './last-error.ts'
import { type Event, stateAfter, targetAfter, type Verb } from './state-machine.ts'

export type NodeChange = Omit<Partial<Node>, 'last_error' | 'driver_internal_info'> & {
  /** Becomes last_error; null: there is none. */
  error?: Error | null
  /** Merged into driver_internal_info; undefined takes a key away. */
  internal?: InternalChange
}
type Change = NodeChange | ((now: Node) => NodeChange)

export type NodeHandle = {
  readonly uuid: string
  /** What is durable now. @throws NotFound  it was deleted meanwhile */
  readonly record: Node
  /** False: it was deleted meanwhile. */
  readonly exists: boolean
  /** Resolves when durable. @throws NotFound */
  update(change: Change, o?: { quiet?: boolean }): Promise<Node>
  /**
   * Along the table of states, logged. `change` is written together with the new state; a wait that it does not give is
   * over.
   */
  move(by: Verb | Event, change?: Change): Promise<Node>
}

/** @param ident  uuid or name @throws NotFound */
export function handleOf(parts: Pick<Parts, 'store'> & HistoryParts, ident: string): NodeHandle {
  const { store, log } = parts
  const { uuid } = store.nodes.find(ident)
  /** The record as it was tells what the node was at when an error came. */
  const changed = async (change: (now: Node) => Partial<Node>, o?: { quiet?: boolean }) => {
    let was: { before: Node; last_error: string | null | undefined } | undefined
    const node = await store.nodes.update(
      uuid,
      (now) => {
        const fields = change(now)
        was = { before: now, last_error: fields.last_error }
        return fields
      },
      o,
    )
    if (was?.last_error) await rememberError(parts, was.before, was.last_error)
    return { node, before: was?.before ?? node }
  }
  return {
    uuid,
    get record() {
      return store.nodes.find(uuid)
    },
    get exists() {
      return store.nodes.get(uuid) !== undefined
    },
    update: async (change, o) => (await changed((now) => fieldsOf(now, change), o)).node,
    async move(by, change = {}) {
      const { node, before } = await changed((now) => {
        const to = stateAfter(now.provision_state, by)
        return {
          wait: null,
          ...fieldsOf(now, change),
          provision_state: to,
          target_provision_state: targetAfter(now, by, to),
          provision_updated_at: new Date().toISOString(),
        }
      })
      log.info('provision state changed', {
        node: uuid,
        from: before.provision_state,
        to: node.provision_state,
        target: node.target_provision_state,
        ...(node.last_error ? { last_error: node.last_error } : {}),
      })
      if (isEnd(by)) await rememberSteps(parts, before, 'end')
      return node
    },
  }
}

function fieldsOf(now: Node, change: Change): Partial<Node> {
  const { error, internal, ...fields } = typeof change === 'function' ? change(now) : change
  return {
    ...fields,
    ...(error === undefined ? {} : { last_error: error && lastErrorOf(error) }),
    ...(internal ? { driver_internal_info: merged(now.driver_internal_info, internal) } : {}),
  }
}

/** A cleaning that was asked for ends by `manage`. */
const isEnd = (by: Verb | Event) => by === 'done' || by === 'manage'
