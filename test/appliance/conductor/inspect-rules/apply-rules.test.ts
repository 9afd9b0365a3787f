/** Inspection rules from the store to the records, evaluated in a process apart. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { applyRules } from '../../../../appliance/conductor/inspect-rules/apply-rules.ts'
import { createHardware } from '../../../../appliance/hardware/hardware.ts'
import type { Json } from '../../../../appliance/plugin-api/index.ts'
import type { InspectionRule } from '../../../../appliance/records/kinds/inspection-rule.ts'
import type { Node } from '../../../../appliance/records/kinds/node.ts'
import { keptLog } from '../../records/state-folder.ts'
import { configOf, startTrial } from '../trial.ts'

type Scene = { node?: Partial<Node>; ini?: string; inventory?: Json; plugin_data?: Json; deadline_ms?: number }

async function scene(t: TestContext, rules: readonly Partial<InspectionRule>[], o: Scene = {}) {
  const trial = await startTrial(t)
  const { store } = trial
  for (const rule of rules) await store.inspection_rules.create(store.inspection_rules.draft(rule))
  const node = await trial.createNode({ provision_state: 'inspecting', ...o.node })
  const { log, lines } = keptLog()
  const config = configOf(`[DEFAULT]\nenabled_hardware_types = fake-hardware\n${o.ini ?? ''}`)
  const parts = {
    store,
    config,
    log,
    hardware: createHardware({ config, log }),
    plugins: new Map(),
    hostname: 'rack-1',
  }
  const found = { inventory: o.inventory ?? {}, plugin_data: o.plugin_data ?? {} }
  const outcome = await applyRules(
    parts,
    node,
    found,
    o.deadline_ms === undefined ? {} : { deadline_ms: o.deadline_ms },
  )
  return { ...outcome, node, lines, change: outcome.node }
}

const set = (path: string, value: unknown) => ({ op: 'set-attribute', args: { path, value } })

describe('inspection rules', () => {
  it('are nothing where there are none', async (t) => {
    const { change, ports, plugin_data, afterwards, failure, lines } = await scene(t, [], { plugin_data: { a: 1 } })

    assert.deepEqual([change, ports.size, plugin_data, afterwards, failure], [{}, 0, { a: 1 }, null, null])
    assert.deepEqual(lines, [])
  })

  it('change the node, its ports and the plugin data, greater priorities first', async (t) => {
    const vendor = { op: 'matches', args: { value: '{inventory[vendor]}', regex: 'Dell.*' } }

    const { change, failure, plugin_data, lines } = await scene(
      t,
      [
        { priority: 1, actions_secret: [set('extra/late', '{node.extra[early]}')] },
        {
          priority: 9,
          conditions_secret: [vendor],
          actions_secret: [set('extra/early', 'yes'), set('resource_class', 'dell')],
        },
        { conditions_secret: [{ ...vendor, op: '!matches' }], actions_secret: [set('description', 'other')] },
        { actions_secret: [{ op: 'set-plugin-data', args: { path: 'seen.by', value: 'rule' } }] },
        { phase: 'early', actions_secret: [{ op: 'fail', args: { msg: 'not now' } }] },
      ],
      { node: { extra: { kept: 1 } }, inventory: { vendor: 'Dell Inc.' } },
    )

    assert.equal(failure, null)
    assert.deepEqual(change, { extra: { kept: 1, early: 'yes', late: 'yes' }, resource_class: 'dell' })
    assert.deepEqual(plugin_data, { seen: { by: 'rule' } })
    assert.deepEqual(
      lines.map(({ message, rules }) => [message, (rules as unknown[]).length]),
      [['inspection rules applied', 3]],
    )
  })

  it('see no secret, unless [inspection_rules] mask_secrets lets them', async (t) => {
    const node = { driver_info: { ipmi_password: 'hunter2' } }
    const inventory = { bmc_password: 'hunter3', nested: [{ auth_token: 'hunter4' }] }
    const action = set(
      'extra/seen',
      '{node.driver_info[ipmi_password]} {inventory[bmc_password]} {inventory[nested][0][auth_token]}',
    )
    const seen = async (mask_secrets: string, sensitive = false) => {
      const ini = `[inspection_rules]\nmask_secrets = ${mask_secrets}\n`
      return (await scene(t, [{ sensitive, actions_secret: [action] }], { node, inventory, ini })).change.extra?.seen
    }

    assert.deepEqual([await seen('always'), await seen('sensitive', true)], ['*** *** ***', 'hunter2 hunter3 hunter4'])
  })

  it('of which an expression never ends are given up, and this process goes on meanwhile', async (t) => {
    const slow = { op: 'contains', args: { value: `${'a'.repeat(60)}!`, regex: '(a+)+$' } }
    let ticks = 0
    const timer = setInterval(() => ticks++, 50)
    t.after(() => clearInterval(timer))

    const { failure, change } = await scene(t, [{ conditions_secret: [slow], actions_secret: [set('extra/a', 1)] }], {
      deadline_ms: 1500,
    })

    assert.deepEqual(change, {})
    assert.match(String(failure?.message), /Reason: the evaluation of 1 rules takes longer than \d+ s/)
    assert.ok(ticks > 5, String(ticks))
  })
})
