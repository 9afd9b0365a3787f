/**
 * What clients read besides of a node, and where this appliance's true answer is short: no VIFs, history, settings.
 * One row each.
 */
import { NotFound } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import type { Node } from '../../../records/kinds/node.ts'
import { servedSince } from '../../not-served.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import { nodeOf } from './names.ts'

type Read = { path: string; since: number; answer: (node: Node, call: Call) => Json }
const absent = (sentence: string): never => {
  throw new NotFound(sentence)
}

const READS: readonly Read[] = [
  { path: 'history', since: 78, answer: () => ({ history: [] }) },
  {
    path: 'history/:event',
    since: 78,
    answer: (_, call) => absent(`Node history record ${call.req.param('event')} could not be found.`),
  },
]

export function addReads(app: App, parts: ApiParts): void {
  const nodeFrom = (call: Call, since: number): Node => {
    servedSince(call, since)
    return nodeOf(call, parts)
  }
  for (const { path, since, answer } of READS) {
    app.get(`/v1/nodes/:node/${path}`, (call) => call.json(answer(nodeFrom(call, since), call)))
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
