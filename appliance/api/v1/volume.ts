/** The rows of /v1/volume/connectors and /v1/volume/targets, the same below a node, and /v1/volume itself. */
import { InvalidStateRequested } from '../../errors.ts'
import type { Base } from '../../records/kind.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { VolumeConnector, VolumeTarget } from '../../records/kinds/volume.ts'
import type { Records } from '../../records/store.ts'
import { type Fields, objectField, RECORD_FIELDS } from '../fields.ts'
import { servedSince } from '../not-served.ts'
import type { ApiParts, App, Call } from '../parts.ts'
import { links } from '../present.ts'
import type { Resource } from '../resource.ts'
import { dict, integer, limitedText, text } from '../schema.ts'
import { filtersByNode, nodeAfter } from './node/belonging.ts'
import { secretTable } from './node/kept-secrets.ts'
import { nodeOf } from './node/names.ts'

const SINCE = 32
/** @source Ironic states.DELETE_ALLOWED_STATES */
const DELETE_ALLOWED: readonly string[] = ['manageable', 'enroll', 'adopt failed']
const COMMON = {
  ...RECORD_FIELDS,
  extra: objectField(dict),
  node_uuid: { write: text, sortable: false },
} as const satisfies Fields<Base>

export function connectorResource(parts: ApiParts): Resource<VolumeConnector> {
  return {
    ...volumeRow(parts, 'connectors', parts.store.volume_connectors),
    noun: 'Volume connector',
    fields: { ...COMMON, type: { write: limitedText(32) }, connector_id: { write: limitedText(255) } },
    defaults: ['uuid', 'node_uuid', 'type', 'connector_id'],
    create: { required: ['node_uuid', 'type', 'connector_id'] },
  }
}

export function targetResource(parts: ApiParts): Resource<VolumeTarget> {
  return {
    ...volumeRow(parts, 'targets', parts.store.volume_targets),
    noun: 'Volume target',
    fields: {
      ...COMMON,
      boot_index: { write: integer },
      properties: secretTable,
      volume_id: { write: limitedText(255) },
      volume_type: { write: limitedText(64) },
    },
    defaults: ['uuid', 'node_uuid', 'volume_type', 'boot_index', 'volume_id'],
    create: { required: ['node_uuid', 'boot_index', 'volume_id', 'volume_type'] },
  }
}

type Volume = Base & { node_uuid: string }
type Kept<R extends Volume> = Records<R, string, 'node_uuid'>

/** What both have in common. */
function volumeRow<R extends Volume>(parts: ApiParts, name: 'connectors' | 'targets', records: Kept<R>) {
  const what = `volume ${name.slice(0, -1)}`
  const { node } = filtersByNode<R>(parts, { shard: 0 })
  const of = ({ uuid: node_uuid }: Node) => records.where('node_uuid', node_uuid)
  return {
    ...{ name: `volume/${name}`, key: name, since: SINCE, detailSince: SINCE, records, filters: { node } },
    candidates: ({ node }) => (typeof node === 'string' ? of(parts.store.nodes.find(node)) : records.all()),
    within: [{ path: `nodes/:node/volume/${name}`, candidates: (call) => of(nodeOf(call, parts)) }],
    node: {
      uuidOf: ({ node_uuid }) => node_uuid,
      checkPatch(node) {
        if (node.power_state !== 'power off') throw mustBeOff(node, `${what} update`)
      },
      checkDelete(node) {
        if (DELETE_ALLOWED.includes(node.provision_state) || node.power_state === 'power off') return
        throw mustBeOff(node, `${what} deletion`)
      },
    },
    patch: {
      change: (record, fields) =>
        ({ ...fields, node_uuid: nodeAfter(parts, record, fields.node_uuid).uuid }) as Partial<R>,
    },
  } satisfies Partial<Resource<R>> & { key: string }
}

const mustBeOff = ({ uuid, power_state }: Node, action: string) =>
  new InvalidStateRequested(
    `The requested action "${action}" can not be performed on node "${uuid}" while it is in state "${power_state ?? 'None'}".`,
  )

/** The lists of links that lead to both. */
export function addVolume(app: App, parts: ApiParts): void {
  const answer = (call: Call, path: string) => {
    const base = call.get('base')
    return call.json({
      links: links(base, path),
      connectors: links(base, `${path}connectors`),
      targets: links(base, `${path}targets`),
    })
  }
  app.get('/v1/volume', (call) => {
    servedSince(call, SINCE)
    return answer(call, 'volume/')
  })
  app.get('/v1/nodes/:node/volume', (call) => {
    servedSince(call, SINCE)
    return answer(call, `nodes/${nodeOf(call, parts).uuid}/volume/`)
  })
}
