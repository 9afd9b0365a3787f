/** /v1/ports, and /v1/nodes/{node}/ports. */
import { InvalidParameterValue, NotFound } from '../../../errors.ts'
import type { Port } from '../../../records/kinds/port.ts'
import { readJson } from '../../body.ts'
import { answerList, askedFields, type Collection, filter } from '../../collection.ts'
import { servedSince } from '../../not-served.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import { createPresent } from '../../present.ts'
import { readQuery } from '../../query.ts'
import { commaList, ident, isLogicalName, isUuid, mac, text, uuid } from '../../schema.ts'
import { nodeOf } from '../node/names.ts'
import { createPort, deletePort, patchPort, readPortPatch } from './changes.ts'
import { PORT_DEFAULTS, PORT_FIELDS } from './fields.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

function portCollection({ store }: ApiParts): Collection<Port> {
  const nodeNamed = (wanted: string) => store.nodes.find(wanted).uuid
  const shardOf = (port: Port) => store.nodes.get(port.node_uuid)?.shard?.toLowerCase()
  return {
    name: 'ports',
    noun: 'Port',
    fields: PORT_FIELDS,
    filters: {
      node: filter(ident, (port, wanted) => port.node_uuid === nodeNamed(wanted)),
      node_uuid: filter(uuid, (port, wanted) => port.node_uuid === wanted),
      address: filter(mac, (port, wanted) => port.address === wanted),
      portgroup: filter(ident, () => false, 24),
      shard: filter(commaList, (port, wanted) => wanted.includes(shardOf(port) ?? ''), 82),
      description_contains: filter(text, (port, wanted) => port.description?.includes(wanted) ?? false, 97),
    },
    defaults: PORT_DEFAULTS,
    present: createPresent({ path: 'ports', fields: PORT_FIELDS, identOf: (port) => port.uuid }),
    get: (wanted) => store.ports.get(wanted),
    candidates({ address, node, node_uuid }) {
      if (typeof address === 'string') {
        const port = store.ports.by('address', address)
        return port ? [port] : []
      }
      const of = node ?? node_uuid
      return typeof of === 'string' ? store.ports.where('node_uuid', nodeNamed(of)) : store.ports.all()
    },
  }
}

export function addPorts(app: App, parts: ApiParts): void {
  const ports = portCollection(parts)
  addLists(app, parts, ports)
  const limit = parts.config.api.max_json_body_size
  const answer = (call: Call, port: Port, o: { names?: readonly string[]; code?: 200 | 201 } = {}) => {
    const view = { minor: call.get('minor'), base: call.get('base'), names: o.names ?? null }
    return call.body(ports.present(port, view), o.code ?? 200, JSON_TYPE)
  }
  app.get('/v1/ports/:port', (call) => {
    const { fields } = readQuery(call, { fields: { schema: commaList } })
    const port = portOf(call, parts)
    return answer(call, port, fields ? { names: askedFields(PORT_FIELDS, fields, call.get('minor')) } : {})
  })
  app.post('/v1/ports', async (call) => {
    const port = await createPort(parts, await readJson(call, limit), call.get('minor'))
    call.header('location', `${call.get('base')}/v1/ports/${port.uuid}`)
    return answer(call, port, { code: 201 })
  })
  app.patch('/v1/ports/:port', async (call) => {
    const minor = call.get('minor')
    const patch = readPortPatch(await readJson(call, limit), minor)
    return answer(call, await patchPort(parts, portOf(call, parts), { patch, minor }))
  })
  app.delete('/v1/ports/:port', async (call) => {
    await deletePort(parts, portOf(call, parts))
    return call.body(null, 204)
  })
}

function addLists(app: App, parts: ApiParts, ports: Collection<Port>): void {
  app.get('/v1/ports', (call) => answerList(call, parts, ports))
  app.get('/v1/ports/detail', (call) => answerList(call, parts, ports, true))
  const ofNode = (isDetail: boolean) => (call: Call) => {
    const { uuid: of } = nodeOf(call, parts)
    return answerList(call, parts, { ...ports, candidates: () => parts.store.ports.where('node_uuid', of) }, isDetail)
  }
  app.get('/v1/nodes/:node/ports', ofNode(false))
  app.get('/v1/nodes/:node/ports/detail', ofNode(true))
  // There are no port groups yet: the lists are empty, as true as it is short.
  for (const path of ['/v1/portgroups', '/v1/portgroups/detail']) {
    app.get(path, (call) => {
      servedSince(call, 23)
      return call.json({ portgroups: [] })
    })
  }
}

/** By uuid, or by name. @throws InvalidParameterValue, NotFound */
function portOf(call: Call, { store }: ApiParts): Port {
  const wanted = call.req.param('port') ?? ''
  if (!isUuid(wanted) && !isLogicalName(wanted)) {
    throw new InvalidParameterValue(`Expected UUID or name for port_ident: ${wanted.slice(0, 60)}`)
  }
  const port = isUuid(wanted) ? store.ports.get(wanted) : [...store.ports.all()].find(({ name }) => name === wanted)
  if (!port) throw new NotFound(`Port ${wanted} could not be found.`)
  return port
}
