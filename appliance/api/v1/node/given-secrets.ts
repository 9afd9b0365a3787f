/** Who may take a secret to another address, and which secrets a patch gives anew. */
import { MASK } from '@appliance/ground/secret-words'
import type { Caller } from '../../../access/caller.ts'
import { tableAndKey } from '../../../conductor/interfaces/bound-secrets.ts'
import type { NodePath } from '../../../plugin-api/bound-secrets.ts'
import type { Json } from '../../../plugin-api/index.ts'
import { type Patch, pathOf } from '../../json-patch.ts'

/** By a password, or by the permissions of the unix socket; with noauth nobody is known. */
export const mayMoveSecrets = ({ role, user, via }: Caller): boolean =>
  role === 'admin' && (user !== undefined || via === 'socket')

/** By the last operation that writes it. A mask, also within a table, stands for what was there before. */
export function isGivenAnew(patch: Patch, field: NodePath): boolean {
  const [table, key] = tableAndKey(field)
  const last = patch.findLast((operation) => {
    const path = pathOf(operation)
    return path[0] === table && (path.length === 1 || (path.length === 2 && path[1] === key))
  })
  if (last === undefined || last.op === 'remove') return false
  const tableGiven = last.value as Json | null | undefined
  const value = pathOf(last).length === 2 ? last.value : tableGiven?.[key]
  return value !== undefined && !JSON.stringify(value).includes(MASK)
}
