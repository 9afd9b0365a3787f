/** /v1/nodes: list, detail, show, create, patch, delete. */
import type { Node } from '../../../records/kinds/node.ts'
import { readJson } from '../../body.ts'
import { answerList, askedFields, type Collection } from '../../collection.ts'
import { requireMinor } from '../../microversions.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import { createPresent, type Present } from '../../present.ts'
import { readQuery } from '../../query.ts'
import { commaList, flag } from '../../schema.ts'
import { createNode } from './create.ts'
import { deleteNode } from './delete.ts'
import { LIST_DEFAULTS, NODE_FIELDS, NODE_SUBRESOURCES } from './fields.ts'
import { nodeFilters } from './filters.ts'
import { nodeOf } from './names.ts'
import { patchNode, readPatch } from './patch.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

export function nodeCollection({ store, conductor }: ApiParts): Collection<Node> {
  const fields = { ...NODE_FIELDS, conductor: { ...NODE_FIELDS.conductor, read: () => conductor.hostname } }
  return {
    name: 'nodes',
    noun: 'Node',
    fields,
    filters: nodeFilters(conductor.hostname),
    defaults: LIST_DEFAULTS,
    present: createPresent({ path: 'nodes', fields, identOf: ({ uuid }) => uuid, subresources: NODE_SUBRESOURCES }),
    get: (uuid) => store.nodes.get(uuid),
    candidates(query) {
      if (typeof query.instance_uuid === 'string') {
        const node = store.nodes.by('instance_uuid', query.instance_uuid)
        return node ? [node] : []
      }
      if (query.include_children || query.parent_node !== undefined) return store.nodes.all()
      return withoutChildren(store.nodes.all())
    },
  }
}

/** @source Ironic db/sqlalchemy/api.py: children are listed only when asked for */
function* withoutChildren(nodes: Iterable<Node>): Iterable<Node> {
  for (const node of nodes) if (node.parent_node === null) yield node
}

export function addNodes(app: App, parts: ApiParts, nodes: Collection<Node>): void {
  app.get('/v1/nodes', (call) => answerList(call, parts, nodes))
  app.get('/v1/nodes/detail', (call) => answerList(call, parts, nodes, true))
  app.get('/v1/nodes/:node', (call) => {
    const { fields } = readQuery(call, { fields: { schema: commaList } })
    const node = nodeOf(call, parts)
    const names = fields ? askedFields(nodes.fields, fields, call.get('minor')) : null
    return answerNode(call, nodes.present, { node, names })
  })
  app.post('/v1/nodes', async (call) => {
    const body = await readJson(call, parts.config.api.max_json_body_size)
    const node = await createNode(parts, body, call.get('minor'))
    call.header('location', `${call.get('base')}/v1/nodes/${node.uuid}`)
    return answerNode(call, nodes.present, { node, names: null, code: 201 })
  })
  app.patch('/v1/nodes/:node', async (call) => {
    const minor = call.get('minor')
    const { reset_interfaces } = readQuery(call, { reset_interfaces: { schema: flag } })
    if (reset_interfaces !== undefined) requireMinor(minor, 45)
    const body = await readJson(call, parts.config.api.max_json_body_size)
    const patch = readPatch(body, minor, reset_interfaces)
    const reset = reset_interfaces === undefined ? {} : { reset_interfaces }
    const node = await patchNode(parts, { ident: call.req.param('node'), minor, patch, ...reset })
    return answerNode(call, nodes.present, { node, names: null })
  })
  app.delete('/v1/nodes/:node', async (call) => {
    await deleteNode(parts, nodeOf(call, parts).uuid)
    return call.body(null, 204)
  })
}

type NodeAnswer = { node: Node; names: readonly string[] | null; code?: 200 | 201 }

function answerNode(call: Call, present: Present<Node>, { node, names, code = 200 }: NodeAnswer): Response {
  return call.body(present(node, { minor: call.get('minor'), base: call.get('base'), names }), code, JSON_TYPE)
}
