/** Conditions, actions and replacement fields of inspection rules, as Ironic 39 has them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Evaluated, evaluate, type View } from '../../../../appliance/conductor/inspect-rules/evaluate.ts'
import type { Json } from '../../../../appliance/plugin-api/index.ts'
import type { RuleAction, RuleCondition } from '../../../../appliance/records/kinds/inspection-rule.ts'

const VIEW: View = {
  node: {
    ...{ uuid: 'node-1', name: 'rack-a-1', description: null, driver: 'ipmi', deploy_interface: 'direct' },
    ...{ properties: { capabilities: 'boot_mode:uefi,disk:ssd' }, extra: {}, traits: ['CUSTOM_A'] },
  },
  ports: { 'port-1': { extra: {} } },
  inventory: {
    ...{ cpu: { count: 8, flags: ['vmx', 'aes'], turbo: true }, bmc_address: '10.0.3.7', empty: [], none: null },
    system_vendor: { manufacturer: "O'Brien", product_name: 'R{660}' },
  },
  plugin_data: { lldp: { port: 'Ethernet4' } },
}

const evaluated = (conditions: readonly RuleCondition[], actions: readonly RuleAction[] = []): Evaluated =>
  evaluate(
    [{ uuid: 'rule-1', sensitive: false, conditions_secret: conditions, actions_secret: actions }],
    (() => {
      const view = structuredClone(VIEW)
      return () => view
    })(),
  )
const holds = (op: string, args: RuleCondition['args'], more: Partial<RuleCondition> = {}): boolean | string => {
  const { applied, failure } = evaluated([{ op, args, ...more }])
  return failure?.reason ?? applied.length === 1
}
const effects = (op: string, args: RuleAction['args'], loop?: RuleAction['loop']) => {
  const { effects: done, failure } = evaluated([], [{ op, args, ...(loop && { loop }) }])
  return failure?.reason ?? done
}
const failed = (reason: string) => `Inspection rule execution failed. Reason: ${reason}`

describe('replacement fields of rules', () => {
  const text = (value: string) => {
    const [effect] = evaluated([], [{ op: 'set-plugin-data', args: { path: 'x', value } }]).effects
    return (effect as unknown as { edit: { value: unknown } }).edit.value
  }

  it('lead to members of the node, the inventory and the plugin data', () => {
    for (const [given, wanted] of [
      ...[
        ['{node.name}', 'rack-a-1'],
        ['{node[name]}', 'rack-a-1'],
        ['{node.deploy_interface}', 'direct'],
      ],
      ...[
        ['{node.properties[capabilities]}', 'boot_mode:uefi,disk:ssd'],
        ['{inventory[cpu][count]}', '8'],
      ],
      ...[
        ['{inventory[cpu][flags][1]}', 'aes'],
        ['{plugin_data[lldp][port]} of {node.uuid}', 'Ethernet4 of node-1'],
      ],
      ...[
        ['{{node.name}}', '{node.name}'],
        ['nothing', 'nothing'],
        ['', ''],
      ],
    ] as const) {
      assert.equal(text(given), wanted, given)
    }
  })

  it('are written as Python writes values', () => {
    for (const [given, wanted] of [
      ...[
        ['{inventory[cpu][turbo]}', 'True'],
        ['{inventory[none]}', 'None'],
        ['{node.description}', 'None'],
      ],
      ...[
        ['{inventory[cpu][flags]}', "['vmx', 'aes']"],
        ['{inventory[empty]}', '[]'],
      ],
      ['{inventory[system_vendor]}', `{'manufacturer': "O'Brien", 'product_name': 'R{660}'}`],
      ['{inventory[bmc_address]!r}', "'10.0.3.7'"],
    ] as const) {
      assert.equal(text(given), wanted, given)
    }
  })

  it('that lead nowhere stay as they are, and are told', () => {
    const odd = [
      ...['{inventory[gpu]}', '{inventory.cpu}', '{node.nothing}', '{node.__class__}', '{nobody}', '{}', '{0}', '{'],
      ...['}', '{node.name:>10}', '{inventory[cpu][flags][7]}', '{inventory[cpu][flags][a]}', '{inventory[cpu'],
      ...['{inventory[constructor]}', '{inventory[__proto__]}', '{node.properties.capabilities}'],
    ]

    for (const given of odd) assert.equal(text(given), given)
    const { unresolved } = evaluated([], [{ op: 'log', args: { msg: '{inventory[gpu]}' } }])
    assert.deepEqual(unresolved, ["{inventory[gpu]}: 'gpu'"])
  })

  it('are filled in once: what a machine says is no field', () => {
    const hostile = structuredClone(VIEW)
    hostile.inventory.bmc_address = '{node.driver_info[ipmi_password]}'
    hostile.node.driver_info = { ipmi_password: 'hunter2' }
    const actions = [
      { op: 'set-attribute', args: { path: 'extra/{item}', value: '{inventory[bmc_address]}' }, loop: ['a'] },
      { op: 'set-attribute', args: { path: 'extra/b', value: '{item[v]}' }, loop: [{ v: '{inventory[bmc_address]}' }] },
    ]

    const { effects: done } = evaluate(
      [{ uuid: 'r', sensitive: false, conditions_secret: [], actions_secret: actions }],
      () => hostile,
    )

    assert.equal(JSON.stringify(done).includes('hunter2'), false)
    assert.equal(done.length, 2)
  })
})

describe('a condition', () => {
  it('eq, lt, gt: each value and the next', () => {
    assert.equal(holds('eq', { values: ['{inventory[cpu][count]}', '8'] }), true)
    assert.equal(holds('eq', { values: ['{inventory[cpu][count]}', 8] }), false)
    assert.equal(holds('eq', { values: ['{inventory[cpu][count]}', 8], force_strings: true }), true)
    assert.equal(holds('eq', { values: [1, true, 1] }), true)
    assert.equal(
      holds('eq', {
        values: [
          { a: [1], b: 2 },
          { b: 2, a: [1] },
        ],
      }),
      true,
    )
    assert.equal(holds('eq', { values: ['a'] }), true)
    assert.equal(holds('!eq', { values: ['a', 'b'] }), true)
    assert.equal(holds('lt', { values: [1, 2, 3] }), true)
    assert.equal(holds('lt', { values: [1, 3, 3] }), false)
    assert.equal(holds('gt', { values: ['b', 'a'] }), true)
    assert.equal(holds('gt', { values: [[1, 2], [1]] }), true)
    assert.equal(holds('lt', { values: ['8', 9] }), failed('8 and 9 have no order: they are of two kinds'))
    assert.equal(holds('eq', { values: 'ab' }), failed("expected a list for 'values', got ab"))
  })

  it('takes its arguments in order, too', () => {
    assert.equal(holds('eq', [['a', 'a']]), true)
    assert.equal(holds('in-net', ['10.0.3.7', '10.0.0.0/16']), true)
    assert.equal(holds('one-of', ['a', ['b', 'a']]), true)
  })

  it('is-empty, is-none, is-true, is-false', () => {
    for (const value of ['', null, [], {}, 'None', '{inventory[empty]}', '{inventory[none]}', '{inventory[gpu]}']) {
      assert.equal(holds('is-empty', { value }), true, JSON.stringify(value))
    }
    for (const value of [0, false, ' ', [''], '{inventory[cpu]}', '{node.nothing}']) {
      assert.equal(holds('is-empty', { value }), false, JSON.stringify(value))
    }
    assert.deepEqual(
      [holds('is-none', { value: null }), holds('is-none', { value: '{inventory[none]}' })],
      [true, false],
    )
    for (const value of [true, 1, 0.5, 'yes', 'TRUE', '{inventory[cpu][turbo]}']) {
      assert.deepEqual([holds('is-true', { value }), holds('is-false', { value })], [true, false], String(value))
    }
    for (const value of [false, 0, 'no', 'False', null]) {
      assert.deepEqual([holds('is-true', { value }), holds('is-false', { value })], [false, true], String(value))
    }
    for (const value of ['on', '', [], {}]) {
      assert.deepEqual([holds('is-true', { value }), holds('is-false', { value })], [false, false], String(value))
    }
  })

  it('in-net', () => {
    const inNet = (address: string, subnet: string) => holds('in-net', { address, subnet })

    assert.equal(inNet('{inventory[bmc_address]}', '10.0.0.0/16'), true)
    assert.equal(inNet('{inventory[bmc_address]}', '10.0.4.0/24'), false)
    assert.equal(inNet('fd00::7', 'fd00::/8'), true)
    assert.equal(inNet('fd00::7', '10.0.0.0/8'), false)
    assert.equal(inNet('rack', '10.0.0.0/8'), failed("'rack' is no IP address"))
    assert.match(String(inNet('10.0.0.1', '10.0.0.0/99')), /'10\.0\.0\.0\/99' is no network/)
  })

  it('matches from the beginning to the end, contains anywhere', () => {
    const matches = (regex: string, value: unknown = 'Dell R660') => holds('matches', { value, regex })
    const contains = (regex: string, value: unknown = 'Dell R660') => holds('contains', { value, regex })

    assert.deepEqual(
      [matches('Dell'), matches('Dell.*'), matches('R660'), matches('D.*0$')],
      [false, true, false, true],
    )
    assert.deepEqual(
      [contains('R6[0-9]+'), contains('^R'), contains('(?i)dell'), contains('dell')],
      [true, false, true, false],
    )
    assert.deepEqual([contains('(?P<maker>Dell) (?P=maker)'), matches('\\ADell R660\\Z')], [false, true])
    assert.deepEqual([contains('8', 80), contains('True', true)], [true, true])
    assert.match(String(matches('(')), /^Inspection rule execution failed\. Reason: Invalid regular expression/)
  })

  it('one-of', () => {
    assert.equal(holds('one-of', { value: '{node.driver}', values: ['redfish', 'ipmi'] }), true)
    assert.equal(holds('!one-of', { value: '{node.driver}', values: ['redfish'] }), true)
    assert.equal(holds('one-of', { value: 'a' }), false)
  })

  it('in a loop holds for any item, all, the first that does, or the last', () => {
    const loop = ['vmx', 'sgx']
    const inLoop = (multiple?: 'any' | 'all' | 'first' | 'last', regex = '{item}') =>
      holds('contains', { value: '{inventory[cpu][flags]}', regex }, { loop, ...(multiple && { multiple }) })

    assert.deepEqual(
      [inLoop(), inLoop('any'), inLoop('all'), inLoop('first'), inLoop('last')],
      [true, true, false, true, false],
    )
    assert.deepEqual([inLoop('all', 'aes'), inLoop('any', 'tpm')], [true, false])
    assert.equal(holds('eq', { values: ['{inventory[cpu][count]}', '{item[n]}'] }, { loop: { n: 8 } }), true)
    assert.equal(holds('eq', { values: ['{inventory[cpu][count]}', 8] }, { loop: [1] }), true)
    assert.equal(holds('eq', { values: [1, 2] }, { loop: [] }), false)
  })
})

describe('an action', () => {
  it('sets, extends and deletes attributes of the node, by paths with slashes or dots', () => {
    assert.deepEqual(effects('set-attribute', { path: '/extra/a/b', value: '{node.name}' }), [
      { on: 'node', edit: { op: 'set', path: ['extra', 'a', 'b'], value: 'rack-a-1' } },
    ])
    assert.deepEqual(effects('set-attribute', ['properties.cpus', 8]), [
      { on: 'node', edit: { op: 'set', path: ['properties', 'cpus'], value: 8 } },
    ])
    assert.deepEqual(effects('extend-attribute', { path: 'extra/list', value: 'x', unique: true }), [
      { on: 'node', edit: { op: 'extend', path: ['extra', 'list'], value: 'x', unique: true } },
    ])
    assert.deepEqual(effects('del-attribute', { path: 'properties/capabilities' }), [
      { on: 'node', edit: { op: 'delete', path: ['properties', 'capabilities'] } },
    ])
    assert.equal(effects('del-attribute', { path: 'extra/none' }), failed('del-attribute: there is no extra/none'))
    assert.equal(effects('extend-attribute', { path: 'name', value: 1 }), failed('extend-attribute: name is no list'))
    assert.equal(effects('set-attribute', { path: 'name/x', value: 1 }), failed("set-attribute: 'name' is no object"))
    assert.equal(
      effects('set-attribute', { path: 'extra/__proto__/x', value: 1 }),
      failed("set-attribute: '__proto__' is not accepted as a key"),
    )
  })

  it('does the same to ports and plugin data', () => {
    assert.deepEqual(effects('set-port-attribute', { port_id: 'port-1', path: 'extra.nic', value: 'a' }), [
      { on: 'port', port: 'port-1', edit: { op: 'set', path: ['extra', 'nic'], value: 'a' } },
    ])
    assert.deepEqual(effects('extend-port-attribute', { port_id: 'port-1', path: 'extra/l', value: 'a' }), [
      { on: 'port', port: 'port-1', edit: { op: 'extend', path: ['extra', 'l'], value: 'a', unique: false } },
    ])
    assert.equal(
      effects('del-port-attribute', { port_id: 'port-2', path: 'extra' }),
      failed('del-port-attribute: Port port-2 could not be found.'),
    )
    assert.deepEqual(effects('set-plugin-data', { path: 'lldp.seen', value: true }), [
      { on: 'plugin_data', edit: { op: 'set', path: ['lldp', 'seen'], value: true } },
    ])
    assert.deepEqual(effects('extend-plugin-data', { path: ['a', 'b'], value: 1 }), [
      { on: 'plugin_data', edit: { op: 'extend', path: ['a', 'b'], value: 1, unique: false } },
    ])
    assert.deepEqual(effects('unset-plugin-data', { path: 'lldp.port' }), [
      { on: 'plugin_data', edit: { op: 'delete', path: ['lldp', 'port'] } },
    ])
  })

  it('sets one capability and leaves the others', () => {
    const set = (value: string) => [{ on: 'node', edit: { op: 'set', path: ['properties', 'capabilities'], value } }]

    assert.deepEqual(effects('set-capability', { name: 'disk', value: 'nvme' }), set('boot_mode:uefi,disk:nvme'))
    assert.deepEqual(effects('unset-capability', { name: 'boot_mode' }), set('disk:ssd'))
  })

  it('adds and removes traits', () => {
    const set = (value: string[]) => [{ on: 'node', edit: { op: 'set', path: ['traits'], value } }]

    assert.deepEqual(effects('add-trait', { name: 'CUSTOM_B' }), set(['CUSTOM_A', 'CUSTOM_B']))
    assert.deepEqual(effects('add-trait', { name: 'CUSTOM_A' }), set(['CUSTOM_A']))
    assert.deepEqual(effects('remove-trait', { name: 'CUSTOM_A' }), set([]))
    assert.deepEqual(effects('remove-trait', { name: 'CUSTOM_X' }), set(['CUSTOM_A']))
  })

  it('logs, and fails the inspection', () => {
    assert.deepEqual(effects('log', { msg: 'found {node.name}', level: 'WARNING' }), [
      { on: 'log', level: 'warn', message: 'found rack-a-1' },
    ])
    assert.match(String(effects('log', { msg: 'x', level: 'loud' })), /Invalid log level: loud/)
    assert.equal(effects('fail', { msg: 'not {node.name}' }), 'Failed to inspect hardware. Reason: not {node.name}')
  })

  it('is done once for each item of a loop', () => {
    assert.deepEqual(
      effects('set-attribute', { path: '{item[path]}', value: '{item[value]}' }, [
        { path: 'extra/bmc', value: '{inventory[bmc_address]}' },
        { path: 'extra/cpus', value: '{inventory[cpu][count]}' },
      ]),
      [
        { on: 'node', edit: { op: 'set', path: ['extra', 'bmc'], value: '10.0.3.7' } },
        { on: 'node', edit: { op: 'set', path: ['extra', 'cpus'], value: '8' } },
      ],
    )
  })
})

describe('rules', () => {
  const rule = (uuid: string, more: Json = {}) =>
    ({ uuid, sensitive: false, conditions_secret: [], actions_secret: [], ...more }) as Parameters<
      typeof evaluate
    >[0][number]
  const set = (path: string, value: unknown) => ({ op: 'set-attribute', args: { path, value } })

  it('see what those before them have done, and go no further than a failure', () => {
    const view = structuredClone(VIEW)
    const seesA = { op: 'eq', args: { values: ['{node.extra[a]}', '1'] } }

    const {
      applied,
      effects: done,
      failure,
    } = evaluate(
      [
        rule('one', { actions_secret: [set('extra/a', '1')] }),
        rule('two', {
          conditions_secret: [seesA],
          actions_secret: [set('extra/b', 2), { op: 'fail', args: { msg: 'no' } }],
        }),
        rule('three', { actions_secret: [set('extra/c', 3)] }),
      ],
      () => view,
    )

    assert.deepEqual(applied, ['one', 'two'])
    assert.deepEqual(
      done.map((effect) => 'edit' in effect && effect.edit.path),
      [
        ['extra', 'a'],
        ['extra', 'b'],
      ],
    )
    assert.deepEqual(failure, { rule: 'two', reason: 'Failed to inspect hardware. Reason: no' })
  })

  it('all of whose conditions hold are applied, and no others', () => {
    const yes = { op: 'eq', args: { values: [1, 1] } }
    const no = { op: 'eq', args: { values: [1, 2] } }
    const view = structuredClone(VIEW)

    const { applied } = evaluate(
      [rule('a', { conditions_secret: [yes, no] }), rule('b', { conditions: [yes, yes] }), rule('c')],
      () => view,
    )

    assert.deepEqual(applied, ['b', 'c'])
  })
})
