/** POST /v1/events: what a network service tells of ports. Taken, checked and logged, as Ironic does: no more. */
import { z } from 'zod'
import { readBody } from '../body.ts'
import { servedSince } from '../not-served.ts'
import type { ApiParts, App } from '../parts.ts'
import { list, mac, text, uuid } from '../schema.ts'

const SINCE = 54
const EVENTS = ['network.bind_port', 'network.unbind_port', 'network.delete_port'] as const
/** @source Ironic api/schemas/v1/event.py */
const event = z.strictObject(
  {
    event: z.enum(EVENTS, `expected one of ${EVENTS.join(', ')}`),
    port_id: uuid,
    mac_address: mac,
    status: text,
    device_id: uuid.nullable().optional(),
    'binding:host_id': uuid.nullable().optional(),
    'binding:vnic_type': text.nullable().optional(),
  },
  'expected an object',
)
const BODY = z.strictObject({ events: list(event).min(1, 'expected at least one event') }, 'expected an object')

export function addEvents(app: App, { config, log }: ApiParts): void {
  app.post('/v1/events', async (call) => {
    servedSince(call, SINCE)
    const { events } = await readBody(call, config.api.max_json_body_size, 'events', BODY)
    for (const each of events) log.debug('external event received', each)
    return call.body(null, 204)
  })
}
