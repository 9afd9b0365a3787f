/** /v1/inspection_rules, over HTTP. What rules do: test/appliance/conductor/inspect-rules. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { BASE, type Json, listed, openRig } from './rig.ts'

const RULE = {
  conditions: [{ op: '!eq', args: { values: ['{inventory[cpu][architecture]}', 'x86_64'] } }],
  actions: [{ op: 'set-attribute', args: { path: 'properties/cpu_arch', value: 'other' } }],
}
const UUID = '7d9a5b1e-1c4f-4d53-9c52-4b8f9b1a2c3d'

describe('inspection rules', () => {
  it('are created with a uuid or without, and shown', async (t) => {
    const { ask } = await openRig(t)

    const created = await ask('POST', '/v1/inspection_rules', { ...RULE, uuid: UUID, description: 'arm', priority: 7 })

    const { created_at } = created.body
    assert.deepEqual([created.status, created.headers.get('location')], [201, `${BASE}/v1/inspection_rules/${UUID}`])
    assert.deepEqual(created.body, {
      ...{ uuid: UUID, created_at, updated_at: null, description: 'arm', priority: 7, phase: 'main', sensitive: false },
      ...RULE,
      links: [
        { href: `${BASE}/v1/inspection_rules/${UUID}`, rel: 'self' },
        { href: `${BASE}/inspection_rules/${UUID}`, rel: 'bookmark' },
      ],
    })
    assert.deepEqual((await ask('GET', `/v1/inspection_rules/${UUID}`)).body, created.body)
    const bare = await ask('POST', '/v1/inspection_rules', { actions: RULE.actions })
    assert.deepEqual([bare.status, bare.body.conditions, bare.body.priority], [201, [], 0])
    const asBaremetal = await ask('POST', '/v1/inspection_rules', { actions: RULE.actions, conditions: null })
    assert.deepEqual([asBaremetal.status, asBaremetal.body.conditions], [201, []])
    const again = await ask('POST', '/v1/inspection_rules', { ...RULE, uuid: UUID })
    assert.deepEqual([again.status, again.fault], [409, `A rule with UUID ${UUID} already exists.`])
  })

  it('are listed short, in detail, sorted, and by phase', async (t) => {
    const { ask } = await openRig(t)
    for (const priority of [5, 9]) await ask('POST', '/v1/inspection_rules', { ...RULE, priority })
    const priorities = async (query: string) =>
      listed(await ask('GET', `/v1/inspection_rules${query}`), 'inspection_rules', 'priority')

    const [short] = (await ask('GET', '/v1/inspection_rules')).body.inspection_rules as Json[]
    const [whole] = (await ask('GET', '/v1/inspection_rules?detail=true')).body.inspection_rules as Json[]

    assert.deepEqual(Object.keys(short ?? {}), ['uuid', 'priority', 'phase', 'description', 'links'])
    assert.deepEqual(whole?.actions, RULE.actions)
    assert.deepEqual(await priorities('?sort_key=priority&sort_dir=desc'), [9, 5])
    assert.deepEqual([await priorities('?phase=main'), await priorities('?phase=early')], [[5, 9], []])
    assert.equal((await ask('GET', '/v1/inspection_rules?sort_key=actions')).status, 400)
  })

  it('are refused when they cannot be followed', async (t) => {
    const { ask } = await openRig(t)
    const fault = async (rule: Json) => {
      const { status, fault: said } = await ask('POST', '/v1/inspection_rules', { ...RULE, ...rule })
      assert.equal(status, 400, JSON.stringify(rule))
      return said
    }

    for (const rule of [
      ...[
        { actions: undefined },
        { actions: [] },
        { actions: [{ op: 'explode', args: {} }] },
        { actions: [{ op: 'fail' }] },
      ],
      ...[
        { conditions: [{ op: 'ne', args: [[1, 2]] }] },
        { conditions: [{ op: '!!eq', args: [[1]] }] },
        { conditions: {} },
      ],
      ...[{ priority: 'high' }, { priority: -1 }, { name: 'x' }, { uuid: 'x' }, { sensitive: 'maybe' }],
      ...[
        { conditions: [{ op: 'eq', args: [[1]], loop: 'x' }] },
        { conditions: [{ op: 'eq', args: [[1]], multiple: 'few' }] },
      ],
    ]) {
      await fault(rule)
    }
    assert.equal(await fault({ phase: 'early' }), 'Invalid phase: early. Valid phases are: main')
    assert.match(await fault({ priority: 10000 }), /Priority must be between 0 and 9999 for user-defined rules\.$/)
    assert.equal(
      await fault({ actions: [{ op: 'set-attribute', args: { path: 'name', wert: 1 } }] }),
      'missing required argument(s): value; unexpected argument(s): wert (of set-attribute, which takes path, value)',
    )
    assert.match(
      await fault({ actions: [{ op: 'api-call', args: { url: 'http://a/{inventory[x]}' } }] }),
      /^api-call is not done by this appliance: /,
    )
    assert.match(
      await fault({ conditions: [{ op: 'matches', args: ['a', '('] }] }),
      /^matches: '\(' is no regular expression that this appliance has: Invalid regular expression/,
    )
  })

  it('are patched, and checked as a whole', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/inspection_rules', { ...RULE, uuid: UUID })
    const patch = (...operations: Json[]) => ask('PATCH', `/v1/inspection_rules/${UUID}`, operations)
    const fail = { op: 'fail', args: { msg: 'no' } }

    const { status, body } = await patch(
      { op: 'add', path: '/actions/-', value: fail },
      { op: 'replace', path: '/priority', value: 3 },
      { op: 'remove', path: '/conditions' },
    )

    assert.deepEqual([status, body.actions, body.priority, body.conditions], [200, [...RULE.actions, fail], 3, []])
    for (const bad of [
      ...[
        { op: 'replace', path: '/actions/0/args', value: {} },
        { op: 'replace', path: '/phase', value: 'late' },
      ],
      ...[
        { op: 'remove', path: '/actions' },
        { op: 'replace', path: '/uuid', value: UUID },
      ],
    ]) {
      assert.equal((await patch(bad)).status, 400, JSON.stringify(bad))
    }
    assert.deepEqual((await ask('GET', `/v1/inspection_rules/${UUID}`)).body, body)
  })

  it('that are sensitive never show again what they do', async (t) => {
    const { ask } = await openRig(t)
    const actions = [{ op: 'set-attribute', args: { path: 'driver_info/ipmi_password', value: 'hunter2' } }]
    const { body, text } = await ask('POST', '/v1/inspection_rules', { ...RULE, actions, uuid: UUID, sensitive: true })
    const patch = (operation: Json) => ask('PATCH', `/v1/inspection_rules/${UUID}`, [operation])

    const refused = [
      await patch({ op: 'replace', path: '/sensitive', value: false }),
      await patch({ op: 'remove', path: '/sensitive' }),
    ]
    const detail = await ask('GET', '/v1/inspection_rules?detail=true')
    const described = await patch({ op: 'add', path: '/description', value: 'x' })

    assert.deepEqual([body.actions, body.conditions], [null, null])
    assert.equal(
      [text, detail.text, described.text].some((each) => each.includes('hunter2')),
      false,
    )
    assert.equal(described.status, 200)
    for (const { status, fault } of refused) {
      assert.equal(status, 400)
      assert.match(fault, /Reason: Inspection rules cannot have the sensitive flag unset\.$/)
    }
  })

  it('lie on the disk encrypted', async (t) => {
    const { ask, config } = await openRig(t)
    const actions = [{ op: 'set-attribute', args: { path: 'driver_info/ipmi_password', value: 'hunter2' } }]
    await ask('POST', '/v1/inspection_rules', { ...RULE, actions })

    const { state_path } = config.DEFAULT
    const files = readdirSync(state_path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const found = files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))

    assert.ok(found.some((text) => text.includes('inspection_rules')))
    assert.deepEqual(
      found.filter((text) => text.includes('hunter2')),
      [],
    )
  })

  it('are deleted one by one, or all at once', async (t) => {
    const { ask } = await openRig(t)
    for (const uuid of [UUID, undefined, undefined]) await ask('POST', '/v1/inspection_rules', { ...RULE, uuid })

    assert.equal((await ask('DELETE', `/v1/inspection_rules/${UUID}`)).status, 204)
    const gone = await ask('DELETE', `/v1/inspection_rules/${UUID}`)
    assert.deepEqual([gone.status, gone.fault], [404, `Rule ${UUID} could not be found.`])
    assert.equal((await ask('DELETE', '/v1/inspection_rules')).status, 204)

    assert.deepEqual((await ask('GET', '/v1/inspection_rules')).body, { inspection_rules: [] })
    assert.equal((await ask('GET', '/v1/inspection_rules/some-name')).status, 400)
    assert.equal((await ask('GET', '/v1/inspection_rules', undefined, { version: '1.95' })).status, 404)
    assert.equal((await ask('POST', '/v1/inspection_rules', {}, { version: '1.95' })).status, 405)
    assert.equal((await ask('DELETE', '/v1/inspection_rules/x', undefined, { version: '1.95' })).status, 405)
  })
})
