/** What agents call: lookup, heartbeat and continue_inspection. Whether it is the right agent, the conductor says. */
import { plainAddress } from '@appliance/ground/plain-address'
import { z } from 'zod'
import type { Asker, Heartbeat } from '../../conductor/conductor.ts'
import { Forbidden, InvalidParameterValue, NotFound } from '../../errors.ts'
import { readArguments, readBody } from '../body.ts'
import { bootNumberIn } from '../boot-number.ts'
import { servedSince } from '../not-served.ts'
import type { ApiParts, App, Call } from '../parts.ts'
import { createPresent } from '../present.ts'
import { readQuery } from '../query.ts'
import { commaList, text, uuid } from '../schema.ts'
import { NODE_FIELDS } from './node/fields.ts'
import { findNode } from './node/names.ts'

const SINCE = 22
const CONTINUE_SINCE = 84
/** @source Ironic api/controllers/v1/ramdisk.py _LOOKUP_RETURN_FIELDS */
const LOOKUP_FIELDS = ['uuid', 'properties', 'instance_info', 'driver_internal_info']
/** The least that an inspection can be worked with. @source Ironic api/controllers/v1/ramdisk.py DATA_VALIDATOR */
const INSPECTION_BODY = z.looseObject({
  inventory: z.looseObject({
    bmc_address: text.nullable().optional(),
    bmc_v6address: text.nullable().optional(),
    interfaces: z.array(z.looseObject({ mac_address: text }), 'expected a list').min(1, 'expected at least one'),
  }),
})
const HEARTBEAT_BODY = z.strictObject({
  /** Where the path does not say. */
  node_ident: text.optional(),
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
export const RAMDISK = { lookup: SINCE, heartbeat: SINCE, continue_inspection: CONTINUE_SINCE }

/** @param isServed  false: everything here is refused */
export function addRamdisk(app: App, parts: ApiParts, isServed: boolean): void {
  const present = createPresent({ path: 'nodes', fields: NODE_FIELDS })
  const { conductor, config } = parts
  const guard = (call: Call, since = SINCE) => {
    if (!isServed) {
      throw new Forbidden(`Access was denied to the following resource: ${call.req.path}`)
    }
    servedSince(call, since)
  }
  // The config holds the token: this answer alone gives it, once.
  const answerOf = (call: Call, { node, config }: Awaited<ReturnType<ApiParts['conductor']['lookup']>>) => {
    const view = { minor: call.get('minor'), base: call.get('base'), names: LOOKUP_FIELDS }
    return `{"node":${present(node, view)},"config":${JSON.stringify(config)}}`
  }
  app.get('/v1/lookup', async (call) => {
    guard(call)
    const { addresses = [], node_uuid } = readQuery(call, {
      addresses: { schema: commaList },
      node_uuid: { schema: uuid },
    })
    const query = { addresses, ...(node_uuid === undefined ? {} : { node_uuid }) }
    const found = await conductor.lookup(query, askerOf(call))
    return call.body(answerOf(call, found), 200, { 'content-type': 'application/json' })
  })
  app.post('/v1/continue_inspection', async (call) => {
    guard(call, 1)
    const { node_uuid } = readQuery(call, { node_uuid: { schema: uuid } })
    const minor = call.get('minor')
    // Agents say no version, which is 1.1.
    if ((minor < CONTINUE_SINCE && minor !== 1) || (node_uuid !== undefined && minor < CONTINUE_SINCE)) {
      throw new NotFound(`API version 1.${CONTINUE_SINCE} or newer is required`)
    }
    const limit = config.api.max_json_body_size_inspection
    const { inventory, ...plugin_data } = await readBody(call, limit, 'data', INSPECTION_BODY)
    const report = { inventory, plugin_data, ...(node_uuid === undefined ? {} : { node_uuid }) }
    const node = await conductor.continueInspection(report, askerOf(call))
    // A machine that has just been enrolled is in no boot of a node yet, and gets no token.
    if (minor < CONTINUE_SINCE || node.provision_state === 'enroll') return call.json({ uuid: node.uuid }, 202)
    return call.body(
      answerOf(call, await conductor.lookup({ addresses: [], node_uuid: node.uuid }, askerOf(call))),
      202,
      {
        'content-type': 'application/json',
      },
    )
  })
  const heartbeat = async (call: Call) => {
    guard(call)
    const limit = config.api.max_json_body_size
    const { node_ident, ...body } = await readArguments(call, limit, 'heartbeat', HEARTBEAT_BODY)
    const ident = call.req.param('node') ?? node_ident
    if (ident === undefined) throw new InvalidParameterValue('Missing mandatory parameter: node_ident')
    const told = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as Heartbeat
    for (const { fields, since, refusal } of HEARTBEAT_SINCE) {
      const isSent = fields.some((name) => told[name] !== undefined)
      if (isSent && call.get('minor') < since) throw new InvalidParameterValue(refusal)
    }
    await conductor.heartbeat(findNode(parts, ident, call.get('minor')).uuid, told, askerOf(call))
    return call.body(null, 202)
  }
  app.post('/v1/heartbeat/:node', heartbeat)
  app.post('/v1/heartbeat', heartbeat)
}
