/** Which secrets go with which address, over all that is loaded; and what is not done without one that went. */
import { MissingParameterValue } from '../../errors.ts'
import type { BoundSecrets, NodePath } from '../../plugin-api/bound-secrets.ts'
import type { Implementation, Interfaces } from '../../plugin-api/interfaces.ts'
import type { InternalChange } from '../../records/kinds/internal-info.ts'
import { INTERFACE_TYPES, type Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'

/** Of an image, whichever deploy interface fetches it; an agent's proxies see what is sent through them. */
const OF_IMAGES: BoundSecrets = {
  secrets: [
    'instance_info/image_request_authorization_secret',
    'instance_info/image_pull_secret',
    'driver_info/image_pull_secret',
  ],
  address: ['instance_info/image_source', 'driver_info/image_http_proxy', 'driver_info/image_https_proxy'],
}

export function boundSecrets({ hardware, plugins }: Pick<Parts, 'hardware' | 'plugins'>): readonly BoundSecrets[] {
  const ofInterfaces = INTERFACE_TYPES.filter((type) => type !== 'deploy').flatMap((type) =>
    hardware.enabled(type).flatMap((name): readonly BoundSecrets[] => {
      const found: Implementation | undefined = hardware.find(type as keyof Interfaces, name)
      return found?.boundSecrets ?? []
    }),
  )
  return [OF_IMAGES, ...new Set(ofInterfaces), ...[...plugins.values()].flatMap((plugin) => plugin.boundSecrets ?? [])]
}

/** What is to be remembered when a node loses its instance_info: the addresses there of secrets that stay. */
export function boundBeyond(node: Node, bindings: readonly BoundSecrets[]): InternalChange {
  const kept = bindings.flatMap(({ secrets, address: [first] }) => {
    const address = first?.startsWith('instance_info/') ? memberAt(node, first) : undefined
    if (typeof address !== 'string' || address === '') return []
    const stay = secrets.filter((secret) => secret.startsWith('driver_info/') && memberAt(node, secret) !== undefined)
    return stay.map((secret) => [secret, address])
  })
  return kept.length === 0 ? {} : { bound_to: { ...node.driver_internal_info.bound_to, ...Object.fromEntries(kept) } }
}

type TableName = 'driver_info' | 'instance_info'

/** A key may have slashes of its own. */
export function tableAndKey(path: NodePath): [table: TableName, key: string] {
  const at = path.indexOf('/')
  return [path.slice(0, at) as TableName, path.slice(at + 1)]
}

export function memberAt(node: Pick<Node, TableName>, path: NodePath): unknown {
  const [table, key] = tableAndKey(path)
  return Object.hasOwn(node[table], key) ? node[table][key] : undefined
}

/** @throws MissingParameterValue  a secret went with the address that it was given for, and nobody gave another */
export function refuseWithoutLost(node: Node, called: Pick<Implementation, 'boundSecrets'>): void {
  for (const { field, address } of node.driver_internal_info.lost_with_address ?? []) {
    const isNeeded = called.boundSecrets?.some(({ secrets }) => secrets.includes(field)) ?? false
    if (!isNeeded || memberAt(node, field) !== undefined) continue
    throw new MissingParameterValue(
      `${field} of node ${node.uuid} was given for another ${address}, and went when that changed. ` +
        'Give it anew, or an empty one when there is none.',
    )
  }
}
