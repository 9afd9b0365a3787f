/** What clients read besides of a node: its inventory, its children. */
import type { Node } from '../../../records/kinds/node.ts'
import { servedSince } from '../../not-served.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import { nodeOf } from './names.ts'

export function addReads(app: App, parts: ApiParts): void {
  const nodeFrom = (call: Call, since: number): Node => {
    servedSince(call, since)
    return nodeOf(call, parts)
  }
  app.get('/v1/nodes/:node/inventory', async (call) =>
    call.json(await parts.conductor.inventory(nodeFrom(call, 81).uuid)),
  )
  app.get('/v1/nodes/:node/children', (call) => {
    const { uuid } = nodeFrom(call, 83)
    const children = [...parts.store.nodes.all()].filter(({ parent_node }) => parent_node === uuid)
    const href = `${call.get('base')}/v1/nodes/?parent_node=${uuid}`
    return call.json({ children: children.map((child) => child.uuid), links: { href, rel: 'children' } })
  })
}
