/** What rules may do to records, and what becomes of a failure. The evaluation is that of evaluate.test.ts. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { evaluate } from '../../../../appliance/conductor/inspect-rules/evaluate.ts'
import { outcomeOf } from '../../../../appliance/conductor/inspect-rules/outcome.ts'
import { attributesOf } from '../../../../appliance/conductor/inspect-rules/settable.ts'
import { createHardware } from '../../../../appliance/hardware/hardware.ts'
import type { DeployPlugin, Json } from '../../../../appliance/plugin-api/index.ts'
import type { InspectionRule, RuleAction } from '../../../../appliance/records/kinds/inspection-rule.ts'
import type { Node } from '../../../../appliance/records/kinds/node.ts'
import direct from '../../../../plugins/direct/index.ts'
import { keptLog } from '../../records/state-folder.ts'
import { configOf, startTrial } from '../trial.ts'

async function scene(t: TestContext, fields: Partial<Node> = {}) {
  const { store, createNode } = await startTrial(t).then((trial) => ({
    store: trial.store,
    createNode: (more: Partial<Node>) => trial.createNode({ provision_state: 'inspecting', ...more }),
  }))
  const node = await createNode(fields)
  const ports = store.ports.where('node_uuid', node.uuid)
  const { log, lines } = keptLog()
  const plugins = new Map([['direct', direct as unknown as DeployPlugin]])
  const config = configOf('[DEFAULT]\nenabled_hardware_types = fake-hardware,ipmi\n')
  const parts = { store, config, log, hardware: createHardware({ config, log }), plugins, hostname: 'r' }
  const outcome = (rules: readonly (readonly RuleAction[])[]) => {
    const view = {
      node: attributesOf(node),
      ports: Object.fromEntries(ports.map((port) => [port.uuid, port as unknown as Json])),
      ...{ inventory: {}, plugin_data: { old: 1 } },
    }
    const given = rules.map((actions, index) => ({
      uuid: `rule-${index}`,
      sensitive: false,
      conditions_secret: [],
      actions_secret: actions,
    }))
    const evaluated = evaluate(given satisfies Partial<InspectionRule>[], () => view)
    return outcomeOf(parts, { node, ports, found: { inventory: {}, plugin_data: { old: 1 } }, evaluated })
  }
  return { outcome, node, port: ports[0]?.uuid ?? '', lines }
}

const set = (path: string, value: unknown) => ({ op: 'set-attribute', args: { path, value } })
const fail = { op: 'fail', args: { msg: 'too small' } }

describe('what rules come to', () => {
  it('is in the spelling of the record', async (t) => {
    const { outcome } = await scene(t)

    const { node, failure } = outcome([
      [
        ...[set('conductor_group', 'EAST'), set('automated_clean', 'False'), set('owner', 7)],
        ...[
          { op: 'add-trait', args: { name: 'CUSTOM_B' } },
          { op: 'add-trait', args: { name: 'CUSTOM_A' } },
        ],
      ],
    ])

    assert.equal(failure, null)
    assert.deepEqual(node, {
      ...{ conductor_group: 'east', automated_clean: false, owner: '7', traits: ['CUSTOM_A', 'CUSTOM_B'] },
    })
  })

  it('ends at what is not to be set, or not to this', async (t) => {
    const { outcome } = await scene(t)

    for (const [path, value] of [
      ...[
        ['provision_state', 'active'],
        ['uuid', 'x'],
        ['driver_internal_info/agent_url', 'x'],
        ['constructor', 'x'],
      ],
      ...[
        ['driver_info', 'text'],
        ['name', 'a b'],
        ['automated_clean', 'maybe'],
        ['target_provision_state', 'rescue'],
      ],
      ...[
        ['owner', 'x'.repeat(256)],
        ['owner', {}],
        ['wait', null],
        ['traits', ['custom a']],
      ],
    ] as const) {
      const { node, failure } = outcome([[set('extra/a', 1), set(path, value), set('extra/b', 2)]])

      assert.match(String(failure?.message), /^Inspection rule action execution failed\. Reason: /, path)
      assert.deepEqual(node, { extra: { a: 1 } }, path)
    }
  })

  it('keeps what was done before a failure, which it tells', async (t) => {
    const { outcome } = await scene(t)

    const { node, failure, plugin_data } = outcome([
      [set('description', 'too small'), { op: 'set-plugin-data', args: { path: 'a', value: 2 } }, fail],
      [set('extra/a', 1)],
    ])

    assert.deepEqual([node, plugin_data], [{ description: 'too small' }, { old: 1, a: 2 }])
    assert.equal(failure?.message, 'Failed to inspect hardware. Reason: too small')
  })

  it('may be that the node goes on to another state: plug and play', async (t) => {
    const { outcome } = await scene(t)

    const { afterwards, node } = outcome([
      [set('instance_info/image_source', 'http://a/b'), set('target_provision_state', 'active')],
    ])

    assert.deepEqual([afterwards, node.instance_info?.image_source], ['active', 'http://a/b'])
    assert.equal('target_provision_state' in node, false)
  })

  it('has interfaces that there are, and a name that nobody has', async (t) => {
    const { outcome } = await scene(t, { interfaces: { raid: 'fake' } as Node['interfaces'] })

    assert.equal(outcome([[set('raid_interface', 'no-raid')]]).node.interfaces?.raid, 'no-raid')
    const magic = outcome([[set('raid_interface', 'magic'), set('extra/a', 1)]])
    assert.match(String(magic.failure?.message), /ironic\.hardware\.interfaces\.raid' entrypoint: magic/)
    assert.deepEqual(magic.node, {})
    assert.match(String(outcome([[set('driver', 'magic')]]).failure?.message), /which supports driver magic/)
  })

  it('takes away a secret whose address a rule changes, unless a rule gives it anew', async (t) => {
    const driver_info = { ipmi_address: '10.0.0.5', ipmi_username: 'admin', ipmi_password: 'hunter2' }
    const { outcome, lines } = await scene(t, { driver_info })
    const move = set('driver_info/ipmi_address', '10.6.6.6')

    const moved = outcome([[move]])
    const given = outcome([[move, set('driver_info/ipmi_password', 'calvin')]])
    const masked = outcome([[move, set('driver_info/ipmi_password', '***')]])
    const same = outcome([[set('driver_info/ipmi_address', '10.0.0.5')]])

    assert.deepEqual(moved.node.driver_info, { ipmi_address: '10.6.6.6', ipmi_username: 'admin' })
    assert.deepEqual(moved.internal.lost_with_address, [
      { field: 'driver_info/ipmi_password', address: 'driver_info/ipmi_address' },
    ])
    assert.equal(lines[0]?.message, 'a secret went with the address that it was given for')
    assert.equal(given.node.driver_info?.ipmi_password, 'calvin')
    assert.equal(masked.node.driver_info?.ipmi_password, undefined)
    assert.deepEqual([same.node.driver_info, same.internal], [driver_info, {}])
  })

  it('changes ports, in what a rule may set of them', async (t) => {
    const { outcome, port } = await scene(t)
    const edit = (path: string, value: unknown) => ({ op: 'set-port-attribute', args: { port_id: port, path, value } })

    const { ports, failure } = outcome([[edit('extra/a', 1), edit('pxe_enabled', 'no')]])

    assert.deepEqual([failure, ports.get(port)], [null, { extra: { a: 1 }, pxe_enabled: false }])
    assert.match(String(outcome([[edit('node_uuid', 'x')]]).failure?.message), /a rule does not set node_uuid/)
  })

  it('logs what rules say, without secrets', async (t) => {
    const { outcome, lines, node } = await scene(t)

    outcome([[{ op: 'log', args: { msg: 'password=hunter2 of {node.uuid}', level: 'error' } }]])

    const [said] = lines
    assert.deepEqual(
      [said?.level, said?.message, said?.said],
      ['error', 'inspection rule says', `password=****** of ${node.uuid}`],
    )
  })
})
