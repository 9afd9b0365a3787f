/** /v1/nodes/{node}/history: what happened to a node, short in the list, whole with ?detail=True and one by one. */
import { NotFound } from '../../../errors.ts'
import type { HistoryEvent } from '../../../records/histories.ts'
import { answerList, type Collection } from '../../collection.ts'
import { type Fields, fieldValue, namesServed } from '../../fields.ts'
import { servedSince } from '../../not-served.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import type { View } from '../../present.ts'
import { nodeOf } from './names.ts'

const SINCE = 78
/** @source Ironic NodeHistoryController, allow_node_history_project, allow_node_history_fields */
const FIELDS: Fields<HistoryEvent> = {
  uuid: {},
  created_at: {},
  severity: {},
  event_type: {},
  event: {},
  conductor: {},
  user: {},
  project: { since: 113 },
  state: { since: 115 },
  target_provision_state: { since: 115 },
  duration_seconds: { since: 115 },
}
const DEFAULTS = ['uuid', 'created_at', 'severity', 'event']
/** Characters of an event in a list. */
const EVENT_LIMIT = 255
const EVENT_CUT = 251

export function addHistory(app: App, parts: ApiParts): void {
  app.get('/v1/nodes/:node/history', async (call) => {
    const node = historyOf(call, parts)
    const events = await parts.conductor.history(node)
    return answerList(call, parts, collectionOf(node, events))
  })
  app.get('/v1/nodes/:node/history/:event', async (call) => {
    const node = historyOf(call, parts)
    const wanted = (call.req.param('event') ?? '').toLowerCase()
    const event = (await parts.conductor.history(node)).find(({ uuid }) => uuid === wanted)
    if (!event) throw new NotFound(`Node history record ${wanted.slice(0, 255)} could not be found.`)
    const view = { minor: call.get('minor'), base: call.get('base'), names: null }
    return call.body(shown(node, event, view), 200, { 'content-type': 'application/json' })
  })
}

function historyOf(call: Call, parts: ApiParts): string {
  servedSince(call, SINCE)
  return nodeOf(call, parts).uuid
}

const collectionOf = (node: string, events: readonly HistoryEvent[]): Collection<HistoryEvent> => ({
  ...{ name: 'history', noun: 'Node history record', fields: FIELDS, defaults: DEFAULTS, filters: {} },
  present: (event, view) => shown(node, event, view),
  get: (uuid) => events.find((event) => event.uuid === uuid),
  candidates: () => events,
})

function shown(node: string, event: HistoryEvent, { minor, base, names }: View): string {
  const fields = (names ?? namesServed(FIELDS, minor)).map((name) => [name, fieldValue(FIELDS, event, name)])
  const short = names && event.event.length > EVENT_LIMIT ? { event: `${event.event.slice(0, EVENT_CUT)}...` } : {}
  const links = [{ href: `${base}/v1/nodes/${node}/history/${event.uuid}`, rel: 'self' }]
  return JSON.stringify({ ...Object.fromEntries(fields), ...short, links })
}
