/** What agents call: lookup and heartbeat. Whether it is the right agent, the conductor says. */
import { plainAddress } from '@appliance/ground/plain-address'
import { z } from 'zod'
import type { Asker, Heartbeat } from '../../conductor/conductor.ts'
import { Forbidden, InvalidParameterValue } from '../../errors.ts'
import { readBody } from '../body.ts'
import { bootNumberIn } from '../boot-number.ts'
import { servedSince } from '../not-served.ts'
import type { ApiParts, App, Call } from '../parts.ts'
import { createPresent } from '../present.ts'
import { readQuery } from '../query.ts'
import { commaList, text, uuid } from '../schema.ts'
import { NODE_FIELDS } from './node/fields.ts'
import { findNode } from './node/names.ts'

const SINCE = 22
/** @source Ironic api/controllers/v1/ramdisk.py _LOOKUP_RETURN_FIELDS */
const LOOKUP_FIELDS = ['uuid', 'properties', 'instance_info', 'driver_internal_info']
const HEARTBEAT_BODY = z.strictObject({
  callback_url: text,
  agent_token: text.nullable().optional(),
  agent_version: text.nullable().optional(),
  agent_verify_ca: text.nullable().optional(),
  agent_status: text.nullable().optional(),
  agent_status_message: text.nullable().optional(),
  layer_facts: z.record(z.string(), z.unknown()).optional(),
})
/** Since when each may be sent, and what an older version is told. */
const HEARTBEAT_SINCE: readonly { fields: readonly (keyof Heartbeat)[]; since: number; refusal: string }[] = [
  { fields: ['agent_version'], since: 36, refusal: 'Field "agent_version" not recognised' },
  { fields: ['agent_token'], since: 62, refusal: 'Field "agent_token" not recognised' },
  { fields: ['agent_verify_ca'], since: 68, refusal: 'Field "agent_verify_ca" not recognised in this version' },
  {
    fields: ['agent_status', 'agent_status_message'],
    since: 72,
    refusal: 'Fields "agent_status" and "agent_status_message" not recognised.',
  },
]

type Listener = { incoming?: { socket?: { remoteAddress?: string } } }

/** Where a request came from, and the number of a boot in the address that it came to. */
function askerOf(call: Call): Asker | undefined {
  const address = call.get('caller').address || (call.env as Listener | undefined)?.incoming?.socket?.remoteAddress
  if (address === undefined) return undefined
  const number = bootNumberIn(new URL(call.req.url).pathname)
  return { address: plainAddress(address), ...(number === undefined ? {} : { number }) }
}

/** Paths that are served by addRamdisk, and their first version. */
export const RAMDISK = { lookup: SINCE, heartbeat: SINCE }

/** @param isServed  false: everything here is refused */
export function addRamdisk(app: App, parts: ApiParts, isServed: boolean): void {
  const present = createPresent({ path: 'nodes', fields: NODE_FIELDS })
  const { conductor, config } = parts
  const guard = (call: Call) => {
    if (!isServed) {
      throw new Forbidden(`Access was denied to the following resource: ${call.req.path}`)
    }
    servedSince(call, SINCE)
  }
  app.get('/v1/lookup', async (call) => {
    guard(call)
    const { addresses = [], node_uuid } = readQuery(call, {
      addresses: { schema: commaList },
      node_uuid: { schema: uuid },
    })
    const query = { addresses, ...(node_uuid === undefined ? {} : { node_uuid }) }
    const found = await conductor.lookup(query, askerOf(call))
    const view = { minor: call.get('minor'), base: call.get('base'), names: LOOKUP_FIELDS }
    // The config holds the token: this answer alone gives it, once.
    const text = `{"node":${present(found.node, view)},"config":${JSON.stringify(found.config)}}`
    return call.body(text, 200, { 'content-type': 'application/json' })
  })
  app.post('/v1/heartbeat/:node', async (call) => {
    guard(call)
    const body = await readBody(call, config.api.max_json_body_size, 'heartbeat', HEARTBEAT_BODY)
    const heartbeat = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as Heartbeat
    for (const { fields, since, refusal } of HEARTBEAT_SINCE) {
      const isSent = fields.some((name) => heartbeat[name] !== undefined)
      if (isSent && call.get('minor') < since) throw new InvalidParameterValue(refusal)
    }
    await conductor.heartbeat(findNode(parts, call.req.param('node'), call.get('minor')).uuid, heartbeat, askerOf(call))
    return call.body(null, 202)
  })
}
