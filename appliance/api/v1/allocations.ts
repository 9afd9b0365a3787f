/** The row of /v1/allocations, and the one allocation of a node. Which node it gets, the conductor says. */
import { InvalidParameterValue, MethodNotAllowed, NotFound } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { Allocation } from '../../records/kinds/allocation.ts'
import type { Node } from '../../records/kinds/node.ts'
import { askedFields, filter } from '../collection.ts'
import { type Fields, objectField, RECORD_FIELDS } from '../fields.ts'
import { givenValues } from '../json-patch.ts'
import { servedSince } from '../not-served.ts'
import type { ApiParts, App, Call } from '../parts.ts'
import { createPresent } from '../present.ts'
import { readQuery } from '../query.ts'
import type { Resource } from '../resource.ts'
import { checkLogicalName, commaList, dict, ident, limitedText, list, text } from '../schema.ts'
import { nodeOf } from './node/names.ts'
import { trait } from './node/traits.ts'

const SINCE = 52
const listField = <S extends ReturnType<typeof list>>(items: S) => ({
  write: items.nullable(),
  on: 'create' as const,
  none: [],
  sortable: false as const,
})
const NODES_LIMIT = 10_000

/** @source Ironic api/controllers/v1/allocation.py */
const FIELDS: Fields<Allocation> = {
  ...RECORD_FIELDS,
  candidate_nodes: listField(list(text).max(NODES_LIMIT, `expected at most ${NODES_LIMIT} nodes`)),
  extra: objectField(dict),
  last_error: {},
  name: { write: text.nullable() },
  node_uuid: { sortable: false },
  owner: { since: 60, write: limitedText(255).nullable(), on: 'create' },
  resource_class: { write: limitedText(80).nullable(), on: 'create' },
  state: {},
  traits: listField(list(trait).max(255, 'expected at most 255 traits')),
}

export function allocationResource(parts: ApiParts): Resource<Allocation> {
  const { allocations } = parts.store
  return {
    ...{ name: 'allocations', noun: 'Allocation', since: SINCE, named: SINCE, records: allocations, fields: FIELDS },
    refusedBefore: { what: 'allocations', allow: [] },
    defaults: Object.keys(FIELDS),
    filters: {
      node: filter(ident, ({ node_uuid }, wanted) => node_uuid === nodeNamed(parts, wanted).uuid),
      resource_class: filter(text, ({ resource_class }, wanted) => resource_class === wanted),
      state: filter(text, ({ state }, wanted) => state === wanted),
      owner: filter(text, ({ owner }, wanted) => owner === wanted, 60),
    },
    candidates: ({ node }) =>
      typeof node === 'string' ? allocations.where('node_uuid', nodeNamed(parts, node).uuid) : allocations.all(),
    create: {
      also: { node: { schema: text.nullable() } },
      draft: (given, { minor }) => draft(parts, given, minor),
      async created({ uuid }, { node }) {
        if (typeof node === 'string') return parts.conductor.allocations.backfill(uuid, nodeNamed(parts, node).uuid)
        parts.conductor.allocations.begin(uuid)
        return undefined
      },
    },
    patch: {
      check(patch, { minor }) {
        if (minor < 57) throw new MethodNotAllowed('The API version does not allow updating allocations', [])
        for (const name of givenValues(patch, '/name')) {
          checkLogicalName(name, 'Cannot update allocation with invalid name')
        }
      },
    },
    remove: ({ uuid }) => parts.conductor.allocations.remove(uuid),
  }
}

/** 404 would mean the allocation. @throws InvalidParameterValue */
function nodeNamed({ store: { nodes } }: Pick<ApiParts, 'store'>, wanted: string): Node {
  const node = nodes.get(wanted) ?? nodes.by('name', wanted)
  if (node) return node
  throw new InvalidParameterValue(`Node ${wanted.slice(0, 255)} could not be found.`)
}

/** @throws InvalidParameterValue */
function draft({ store }: ApiParts, { node, ...given }: Json, minor: number): Partial<Allocation> {
  checkLogicalName(given.name, 'Cannot create allocation with invalid name')
  if (typeof node === 'string' && minor < 58) {
    throw new InvalidParameterValue('Cannot set node when creating an allocation in this API version')
  }
  const taken = typeof node === 'string' ? nodeNamed({ store }, node) : undefined
  const resource_class = given.resource_class || taken?.resource_class
  if (!resource_class && !taken) {
    throw new InvalidParameterValue('The resource_class field is mandatory when not backfilling')
  }
  const asked = (given.candidate_nodes ?? []) as readonly string[]
  const found = asked.map((each) => store.nodes.get(each) ?? store.nodes.by('name', each))
  const missing = asked.filter((_, at) => !found[at])
  if (missing.length > 0) {
    throw new InvalidParameterValue(`Nodes cannot be found: ${missing.join(', ').slice(0, 1000)}`)
  }
  return {
    // The instance that the node has already is the one that the allocation is for.
    ...(taken?.instance_uuid ? { uuid: taken.instance_uuid } : {}),
    ...given,
    resource_class: resource_class ? String(resource_class) : null,
    candidate_nodes: found.flatMap((each) => each?.uuid ?? []),
  }
}

/** GET and DELETE of /v1/nodes/{node}/allocation. */
export function addNodeAllocation(app: App, parts: ApiParts): void {
  const present = createPresent({ path: 'allocations', fields: FIELDS })
  const of = (call: Call, node: (call: Call) => Node): Allocation => {
    servedSince(call, SINCE)
    const [allocation] = parts.store.allocations.where('node_uuid', node(call).uuid)
    if (allocation) return allocation
    throw new NotFound(`Allocation for node ${call.req.param('node')} was not found`)
  }
  app.get('/v1/nodes/:node/allocation', (call) => {
    const allocation = of(call, (call) => nodeNamed(parts, call.req.param('node') ?? ''))
    const { fields } = readQuery(call, { fields: { schema: commaList } })
    const [minor, base] = [call.get('minor'), call.get('base')]
    const names = fields ? askedFields({ fields: FIELDS }, fields, minor) : null
    return call.body(present(allocation, { minor, base, names }), 200, { 'content-type': 'application/json' })
  })
  app.delete('/v1/nodes/:node/allocation', async (call) => {
    await parts.conductor.allocations.remove(of(call, (call) => nodeOf(call, parts)).uuid)
    return call.body(null, 204)
  })
}
