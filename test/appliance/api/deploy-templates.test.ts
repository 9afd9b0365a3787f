/** /v1/deploy_templates, over HTTP. What they do at a deploy: test/appliance/conductor. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE, type Json, listed, openRig } from './rig.ts'

const STEP = { interface: 'bios', step: 'apply_configuration', args: { settings: [] }, priority: 150 }
const TEMPLATE = { name: 'CUSTOM_HYPERTHREADING_ON', steps: [STEP] }

describe('deploy templates', () => {
  it('are created, shown by uuid and by name, listed short and in detail', async (t) => {
    const { ask } = await openRig(t)

    const created = await ask('POST', '/v1/deploy_templates', { ...TEMPLATE, extra: { a: 1 } })

    const { uuid, created_at } = created.body
    assert.deepEqual([created.status, created.headers.get('location')], [201, `${BASE}/v1/deploy_templates/${uuid}`])
    assert.deepEqual(created.body, {
      ...{ uuid, created_at, updated_at: null, description: null, extra: { a: 1 }, ...TEMPLATE },
      links: [
        { href: `${BASE}/v1/deploy_templates/${uuid}`, rel: 'self' },
        { href: `${BASE}/deploy_templates/${uuid}`, rel: 'bookmark' },
      ],
    })
    for (const ident of [uuid, TEMPLATE.name]) {
      assert.deepEqual((await ask('GET', `/v1/deploy_templates/${ident}`)).body, created.body)
    }
    const [short] = (await ask('GET', '/v1/deploy_templates')).body.deploy_templates as Json[]
    assert.deepEqual(Object.keys(short ?? {}), ['uuid', 'name', 'links'])
    const [whole] = (await ask('GET', '/v1/deploy_templates?detail=true')).body.deploy_templates as Json[]
    assert.deepEqual(whole, created.body)
  })

  it('have a name that is a trait, of which there is one', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/deploy_templates', TEMPLATE)
    const other = await ask('POST', '/v1/deploy_templates', { ...TEMPLATE, name: 'HW_CPU_X86_VMX' })

    const again = await ask('POST', '/v1/deploy_templates', TEMPLATE)
    const renamed = await ask('PATCH', `/v1/deploy_templates/${other.body.uuid}`, [
      { op: 'replace', path: '/name', value: TEMPLATE.name },
    ])

    for (const { status, fault } of [again, renamed]) {
      assert.deepEqual([status, fault], [409, 'A deploy template with name CUSTOM_HYPERTHREADING_ON already exists.'])
    }
    for (const name of ['custom_x', 'CUSTOM-X', 'FAST', '', 7, null, undefined]) {
      assert.equal((await ask('POST', '/v1/deploy_templates', { ...TEMPLATE, name })).status, 400, String(name))
    }
  })

  it('are refused without steps, with a step that is none, and with one step twice', async (t) => {
    const { ask } = await openRig(t)
    const post = (steps: unknown) => ask('POST', '/v1/deploy_templates', { ...TEMPLATE, steps })

    for (const bad of [
      ...[undefined, null, [], {}, ['bios'], [{ ...STEP, interface: 'boot' }], [{ ...STEP, step: '' }]],
      ...[[{ ...STEP, priority: -1 }], [{ ...STEP, priority: 'high' }], [{ ...STEP, args: null }]],
      ...[[{ ...STEP, order: 1 }], [{ interface: 'bios', step: 'x', priority: 1 }]],
    ]) {
      assert.equal((await post(bad)).status, 400, JSON.stringify(bad))
    }
    assert.equal(
      (await post([STEP, { ...STEP, priority: 0 }])).fault,
      'Deploy template invalid: Duplicate deploy steps. A template cannot have multiple deploy steps with the same ' +
        'interface and step. Duplicates: interface: bios, step: apply_configuration.',
    )
    assert.deepEqual((await post([{ ...STEP, priority: '20' }])).body.steps, [{ ...STEP, priority: 20 }])
  })

  it('are patched field by field and step by step, and checked as a whole', async (t) => {
    const { ask } = await openRig(t)
    const { body } = await ask('POST', '/v1/deploy_templates', TEMPLATE)
    const patch = (...operations: Json[]) => ask('PATCH', `/v1/deploy_templates/${body.uuid}`, operations)
    const raid = { interface: 'raid', step: 'delete_configuration', args: {}, priority: 10 }

    const changed = await patch(
      { op: 'add', path: '/steps/-', value: raid },
      { op: 'replace', path: '/steps/0/priority', value: 90 },
      { op: 'add', path: '/extra/room', value: 'b' },
    )

    assert.deepEqual(
      [changed.status, changed.body.steps, changed.body.extra],
      [200, [{ ...STEP, priority: 90 }, raid], { room: 'b' }],
    )
    for (const bad of [
      ...[
        { op: 'replace', path: '/uuid', value: body.uuid },
        { op: 'remove', path: '/steps' },
      ],
      ...[
        { op: 'remove', path: '/name' },
        { op: 'add', path: '/steps/-', value: raid },
      ],
      ...[
        { op: 'remove', path: '/steps/0/args' },
        { op: 'replace', path: '/steps', value: [] },
      ],
    ]) {
      assert.equal((await patch(bad)).status, 400, JSON.stringify(bad))
    }
    assert.deepEqual((await ask('GET', `/v1/deploy_templates/${body.uuid}`)).body, changed.body)
  })

  it('show no secret of a step, and keep one that a client writes back as it was shown', async (t) => {
    const { ask, store } = await openRig(t)
    const steps = [{ ...STEP, args: { password: 'hunter2' } }]

    const { text, body } = await ask('POST', '/v1/deploy_templates', { ...TEMPLATE, steps })
    await ask('PATCH', `/v1/deploy_templates/${body.uuid}`, [
      { op: 'replace', path: '/steps', value: [{ ...STEP, step: 'other' }, ...(body.steps as Json[])] },
    ])

    assert.equal(text.includes('hunter2'), false)
    const [, kept] = store.deploy_templates.find(TEMPLATE.name).steps
    assert.deepEqual(kept?.args, { password: 'hunter2' })
  })

  it('are sorted and paged, not by what has no order', async (t) => {
    const { ask } = await openRig(t)
    for (const name of ['CUSTOM_B', 'CUSTOM_A']) await ask('POST', '/v1/deploy_templates', { ...TEMPLATE, name })
    const names = async (query: string) =>
      listed(await ask('GET', `/v1/deploy_templates?${query}`), 'deploy_templates', 'name')

    assert.deepEqual(await names('sort_key=name'), ['CUSTOM_A', 'CUSTOM_B'])
    assert.deepEqual(await names('limit=1'), ['CUSTOM_B'])
    for (const key of ['steps', 'extra', 'nothing']) {
      assert.equal((await ask('GET', `/v1/deploy_templates?sort_key=${key}`)).status, 400, key)
    }
  })

  it('are gone when deleted, and not there before 1.55', async (t) => {
    const { ask } = await openRig(t)
    const { body } = await ask('POST', '/v1/deploy_templates', TEMPLATE)

    assert.equal((await ask('GET', '/v1/deploy_templates', undefined, { version: '1.54' })).status, 404)
    assert.equal((await ask('POST', '/v1/deploy_templates', {}, { version: '1.54' })).status, 405)
    assert.equal((await ask('DELETE', '/v1/deploy_templates/x', undefined, { version: '1.54' })).status, 405)
    assert.equal((await ask('DELETE', `/v1/deploy_templates/${body.uuid}`)).status, 204)
    const gone = await ask('GET', `/v1/deploy_templates/${body.uuid}`)

    assert.deepEqual([gone.status, gone.fault], [404, `Deploy template ${body.uuid} could not be found.`])
    assert.equal((await ask('DELETE', `/v1/deploy_templates/${TEMPLATE.name}`)).status, 404)
  })
})
