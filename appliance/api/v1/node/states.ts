/** /v1/nodes/{node}/states: read them, ask for others; maintenance, validate. The conductor decides what may follow. */
import { z } from 'zod'
import { Conflict, InvalidParameterValue, InvalidStateRequested, NotAcceptable, NotFound } from '../../../errors.ts'
import type { PowerTarget } from '../../../plugin-api/interfaces.ts'
import type { Node, ProvisionState } from '../../../records/kinds/node.ts'
import { readArguments, readJson } from '../../body.ts'
import { fieldValue, isServed } from '../../fields.ts'
import { requireMinor } from '../../microversions.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import { readQuery } from '../../query.ts'
import { flag, ident, integer, isUuid, text, uuid } from '../../schema.ts'
import { NODE_FIELDS } from './fields.ts'
import { findNode, NAMED_SINCE, nodeOf } from './names.ts'
import { checkProvision, PROVISION_BODY } from './provision.ts'
import { readRaidConfig } from './raid-schema.ts'
import { withRunbook } from './runbook.ts'

/** @source Ironic node_states_convert */
const STATE_FIELDS = [
  'console_enabled',
  'last_error',
  'power_state',
  'provision_state',
  'target_power_state',
  'target_provision_state',
  'provision_updated_at',
  'raid_config',
  'target_raid_config',
  'boot_mode',
  'secure_boot',
]
/** @source Ironic common/states.py UNSTABLE_STATES */
const UNSTABLE: readonly ProvisionState[] = [
  ...(['deploying', 'wait call-back', 'cleaning', 'clean wait', 'verifying', 'deleting'] as const),
  ...(['inspecting', 'inspect wait', 'adopting', 'rescuing', 'rescue wait', 'unrescuing'] as const),
  ...(['servicing', 'service wait'] as const),
]
const POWER_TARGETS: readonly PowerTarget[] = ['power on', 'power off', 'rebooting', 'soft power off', 'soft rebooting']
const POWER_BODY = z.strictObject({ target: text, timeout: integer.nullable().optional() })

export function addStates(app: App, parts: ApiParts): void {
  const { conductor, config } = parts
  const limit = config.api.max_json_body_size

  app.get('/v1/nodes/:node/states', (call) => call.json(statesOf(nodeOf(call, parts), call.get('minor'))))
  app.put('/v1/nodes/:node/states/provision', async (call) => {
    const node = nodeOf(call, parts)
    const body = await readArguments(call, config.api.max_json_body_size_provision, 'provision', PROVISION_BODY)
    const minor = call.get('minor')
    await conductor.provision(node.uuid, checkProvision(node, withRunbook(parts, node, body, minor), minor))
    return accepted(call)
  })
  app.put('/v1/nodes/:node/states/power', async (call) => {
    const node = nodeOf(call, parts)
    const { target, timeout } = await readArguments(call, limit, 'power', POWER_BODY)
    checkPower(node, { target, timeout: timeout ?? undefined, minor: call.get('minor') })
    await conductor.power(node.uuid, target as PowerTarget, timeout ?? undefined)
    return accepted(call)
  })
  app.put('/v1/nodes/:node/states/raid', async (call) => {
    requireMinor(call.get('minor'), 12)
    const { uuid } = nodeOf(call, parts)
    await conductor.raid.setTarget(uuid, readRaidConfig(await readJson(call, limit)))
    return call.body(null, 204)
  })
  app.put('/v1/nodes/:node/states/boot_mode', async (call) => {
    const node = nodeOf(call, parts)
    const { target } = await readArguments(call, limit, 'boot_mode', z.strictObject({ target: text }))
    checkBootChange(node, call)
    if (target !== 'uefi' && target !== 'bios') {
      throw new InvalidParameterValue(
        `Invalid boot mode ${target.slice(0, 60)} requested for node. Allowed boot modes are: uefi, bios`,
      )
    }
    await conductor.management.changeBootMode(node.uuid, target)
    return accepted(call)
  })
  app.put('/v1/nodes/:node/states/secure_boot', async (call) => {
    const node = nodeOf(call, parts)
    const { target } = await readArguments(call, limit, 'secure_boot', z.strictObject({ target: flag }))
    checkBootChange(node, call)
    await conductor.management.changeSecureBoot(node.uuid, target)
    return accepted(call)
  })
}

/** Stands before the nodes themselves, of which none is named so. */
export function addValidate(app: App, parts: ApiParts): void {
  const validate = async (call: Call, { uuid }: Node) => call.json(await parts.conductor.validate(uuid))
  app.get('/v1/nodes/validate', (call) => {
    const { node_uuid, node } = readQuery(call, { node: { schema: ident }, node_uuid: { schema: uuid } })
    const asked = node_uuid ?? node
    if (asked === undefined) throw new InvalidParameterValue('Missing mandatory parameter: node')
    if (!isUuid(asked)) requireMinor(call.get('minor'), NAMED_SINCE)
    return validate(call, findNode(parts, asked, call.get('minor')))
  })
  app.get('/v1/nodes/:node/validate', (call) => validate(call, nodeOf(call, parts)))
}

export function addMaintenance(app: App, { conductor, store, config }: ApiParts): void {
  const setMaintenance = async (call: Call, change: Partial<Node>) => {
    const { uuid } = nodeOf(call, { store })
    await conductor.withNode(uuid, 'node update', () => store.nodes.update(uuid, change))
    return call.body(null, 202)
  }
  app.put('/v1/nodes/:node/maintenance', async (call) => {
    const body = z.strictObject({ reason: text.nullable().optional() })
    const { reason = null } = await readArguments(call, config.api.max_json_body_size, 'maintenance', body)
    return setMaintenance(call, { maintenance: true, maintenance_reason: reason })
  })
  app.delete('/v1/nodes/:node/maintenance', (call) =>
    setMaintenance(call, { maintenance: false, maintenance_reason: null, fault: null }),
  )
}

/** @throws NotFound (of a later version), Conflict (the machine is about to boot, or boots) */
function checkBootChange(node: Node, call: Call): void {
  if (call.get('minor') < 76) {
    throw new NotFound('This endpoint is supported starting with the API version 1.76')
  }
  if (!UNSTABLE.includes(node.provision_state)) return
  throw new Conflict(
    `Node is in ${node.provision_state} state. Since node is transitioning, the boot mode will not be set as this may interfere with ` +
      'ongoing changes and result in erroneous modification. Try again later.',
  )
}

function statesOf(node: Node, minor: number) {
  const served = STATE_FIELDS.filter((name) => isServed(NODE_FIELDS[name] ?? {}, minor))
  return Object.fromEntries(
    served.map((name) => {
      const { show } = NODE_FIELDS[name] ?? {}
      const value = fieldValue(NODE_FIELDS, node, name)
      return [name, show ? show(value, minor) : value]
    }),
  )
}

function checkPower(node: Node, o: { target: string; timeout: number | undefined; minor: number }): void {
  const { target, timeout, minor } = o
  if ((target.startsWith('soft ') || timeout) && minor < 27) {
    throw new NotAcceptable('Request not acceptable. Soft power actions and timeout came with API version 1.27')
  }
  if (timeout !== undefined && timeout < 1) throw new InvalidParameterValue('timeout has to be positive integer')
  const refuse = (state: string | null) =>
    new InvalidStateRequested(
      `The requested action "${target.slice(0, 60)}" can not be performed on node "${node.uuid}" while it is in state "${state}".`,
    )
  if (!(POWER_TARGETS as readonly string[]).includes(target)) throw refuse(node.power_state)
  if (['cleaning', 'clean wait'].includes(node.provision_state)) throw refuse(node.provision_state)
  if (node.disable_power_off && target.endsWith('power off')) {
    throw new Conflict(`Failed to set node power state to ${target}.`)
  }
}

function accepted(call: Call): Response {
  call.header('location', `${call.get('base')}/v1/nodes/${encodeURIComponent(call.req.param('node') ?? '')}/states`)
  return call.body(null, 202)
}
