/**
 * A secret belongs to the address that it was given for: a change of the address that does not give the secret anew
 * takes it away. Whether somebody may move a secret all the same, the caller says.
 */
import { isDeepStrictEqual } from 'node:util'
import { plainAddress } from '@appliance/ground/plain-address'
import type { BoundSecrets, NodePath } from '../../plugin-api/bound-secrets.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { memberAt, tableAndKey } from './bound-secrets.ts'

export type Lost = NonNullable<Node['driver_internal_info']['lost_with_address']>

type Moving = { bindings: readonly BoundSecrets[]; isGivenAnew(field: NodePath): boolean }

/** @param change  with kept secrets in place @returns what changes besides */
export function lostSecrets(node: Node, change: Partial<Node>, { bindings, isGivenAnew }: Moving): Partial<Node> {
  const after = { ...node, ...change }
  const lost = bindings.flatMap(
    (binding): Lost =>
      binding.secrets.flatMap((field) => {
        if (isEmpty(memberAt(after, field)) || isGivenAnew(field)) return []
        const address = movedAddress({ node, after }, binding, field)
        return address === undefined ? [] : [{ field, address }]
      }),
  )
  const { lost_with_address: before = [], bound_to: bound = {}, ...internal } = after.driver_internal_info
  const still = before.filter(({ field }) => memberAt(after, field) === undefined)
  const all = [...still, ...lost]
  const stays = (field: NodePath) =>
    !isEmpty(memberAt(after, field)) && !isGivenAnew(field) && !lost.some((one) => one.field === field)
  const bindingsLeft = Object.entries(bound).filter(([field]) => stays(field as NodePath))
  if (isDeepStrictEqual(all, before) && bindingsLeft.length === Object.keys(bound).length) return {}
  return {
    ...without(after, lost),
    driver_internal_info: {
      ...internal,
      ...(all.length > 0 && { lost_with_address: all }),
      ...(bindingsLeft.length > 0 && { bound_to: Object.fromEntries(bindingsLeft) }),
    },
  }
}

/** @returns the field of the address whose place the patch changes; undefined: the secret is bound to none */
function movedAddress(
  { node, after }: Record<'node' | 'after', Node>,
  { address: [first, ...more], defaults = {} }: BoundSecrets,
  secret: NodePath,
): NodePath | undefined {
  if (first === undefined) return undefined
  const isAway = isEmpty(memberAt(node, first))
  const known = isAway ? node.driver_internal_info.bound_to?.[secret] : memberAt(node, first)
  if (isEmpty(known)) return undefined
  const isStillAway = isAway && isEmpty(memberAt(after, first))
  if (!isStillAway && placeOf(known) !== placeOf(memberAt(after, first))) return first
  const placeAt = (of: Node, path: NodePath) =>
    placeOf(isEmpty(memberAt(of, path)) ? defaults[path] : memberAt(of, path))
  return more.find((path) => placeAt(node, path) !== placeAt(after, path))
}

function without(node: Node, lost: Lost): Partial<Node> {
  const left: { driver_info?: Json; instance_info?: Json } = {}
  for (const { field } of lost) {
    const [table, key] = tableAndKey(field)
    const { [key]: _, ...others } = left[table] ?? node[table]
    left[table] = others
  }
  return left
}

const isEmpty = (value: unknown): boolean => value === undefined || value === null || value === ''

/**
 * Of an address on the web its scheme, host and port; of other schemes all up to the path; else the whole of it. One
 * text for each place, however it is written: 623 and "623", BMC.example and bmc.example, fd00:0::1 and fd00::1.
 */
function placeOf(value: unknown): string {
  if (isEmpty(value)) return ''
  if (typeof value === 'object') return JSON.stringify(value)
  const text = String(value).trim()
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return isHost(text) ? plainAddress(text).toLowerCase() : text
  if ((scheme === 'http' || scheme === 'https') && URL.canParse(text)) return new URL(text).origin
  return `${scheme}://${text.slice(scheme.length + '://'.length).split(/[/?#\\]/, 1)[0]}`
}

/** An address without its zone, or a name. With a zone it is another place on another link. */
const isHost = (text: string) => /^[a-z0-9.:[\]-]+$/i.test(text)
