/** /v1/runbooks, over HTTP, and runbooks in requests for a cleaning or a service. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { BASE, enrolled, type Json, openRig } from './rig.ts'

const FIRST = { interface: 'raid', step: 'delete_configuration', args: {}, order: 1 }
const SECOND = { interface: 'deploy', step: 'erase_devices', args: { fast: true }, order: 2 }
const RUNBOOK = { name: 'CUSTOM_AGGRESSIVE', steps: [SECOND, FIRST] }

describe('runbooks', () => {
  it('are created, shown by uuid and by name, and listed', async (t) => {
    const { ask } = await openRig(t)

    const created = await ask('POST', '/v1/runbooks', { ...RUNBOOK, owner: 'me', description: 'd' })

    const { uuid, created_at } = created.body
    assert.deepEqual([created.status, created.headers.get('location')], [201, `${BASE}/v1/runbooks/${uuid}`])
    assert.deepEqual(created.body, {
      ...{ uuid, created_at, updated_at: null, description: 'd', disable_ramdisk: false, extra: {}, owner: 'me' },
      ...{ public: false, traits: [], ...RUNBOOK },
      links: [
        { href: `${BASE}/v1/runbooks/${uuid}`, rel: 'self' },
        { href: `${BASE}/runbooks/${uuid}`, rel: 'bookmark' },
      ],
    })
    assert.deepEqual((await ask('GET', `/v1/runbooks/${RUNBOOK.name}`)).body, created.body)
    const [short] = (await ask('GET', '/v1/runbooks')).body.runbooks as Json[]
    assert.deepEqual(Object.keys(short ?? {}), ['uuid', 'name', 'links'])
    const again = await ask('POST', '/v1/runbooks', RUNBOOK)
    assert.deepEqual([again.status, again.fault], [409, 'A runbook with name CUSTOM_AGGRESSIVE already exists.'])
  })

  it('are cut as their version has them: the name is a trait before 1.112, and there are no traits', async (t) => {
    const { ask } = await openRig(t)
    const old = { version: '1.111' }

    const free = await ask('POST', '/v1/runbooks', { ...RUNBOOK, name: 'weekly' })
    const refused = await ask('POST', '/v1/runbooks', { ...RUNBOOK, name: 'daily' }, old)
    const shown = await ask('GET', '/v1/runbooks/weekly', undefined, old)

    assert.deepEqual([free.status, refused.status], [201, 400])
    assert.deepEqual([shown.body.traits, shown.body.description], [undefined, undefined])
    assert.equal((await ask('POST', '/v1/runbooks', { ...RUNBOOK, description: 'x' }, old)).status, 406)
    assert.equal((await ask('GET', '/v1/runbooks/weekly/traits', undefined, old)).status, 404)
    assert.equal((await ask('GET', '/v1/runbooks', undefined, { version: '1.91' })).status, 404)
    assert.equal((await ask('POST', '/v1/runbooks', {}, { version: '1.91' })).status, 405)
    assert.equal((await ask('DELETE', '/v1/runbooks/x', undefined, { version: '1.91' })).status, 405)
  })

  it('are refused with steps that are none', async (t) => {
    const { ask } = await openRig(t)

    for (const steps of [
      ...[undefined, [], {}, [{ ...FIRST, order: -1 }], [{ ...FIRST, priority: 1 }], [{ ...FIRST, interface: 'boot' }]],
      ...[[{ interface: 'raid', step: 'x' }], [FIRST, FIRST]],
    ]) {
      assert.equal((await ask('POST', '/v1/runbooks', { ...RUNBOOK, steps })).status, 400, JSON.stringify(steps))
    }
    const bare = await ask('POST', '/v1/runbooks', {
      ...RUNBOOK,
      steps: [{ interface: 'raid', step: 'x', order: '3' }],
    })
    assert.deepEqual(bare.body.steps, [{ interface: 'raid', step: 'x', args: {}, order: 3 }])
  })

  it('are for all, or of an owner, never both', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/runbooks', { ...RUNBOOK, owner: 'me' })
    const patch = (...operations: Json[]) => ask('PATCH', `/v1/runbooks/${RUNBOOK.name}`, operations)
    const set = (path: string, value: unknown) => ({ op: 'replace', path, value })

    const opened = await patch(set('/public', true))
    const owned = await patch(set('/owner', 'you'))
    const both = await patch(set('/public', false), set('/owner', 'you'))

    assert.deepEqual([opened.status, opened.body.public, opened.body.owner], [200, true, null])
    assert.deepEqual([owned.status, owned.fault.endsWith('There cannot be an owner for a public runbook')], [400, true])
    assert.deepEqual([both.status, both.body.public, both.body.owner], [200, false, 'you'])
    assert.equal((await patch(set('/traits', ['CUSTOM_A']))).status, 400)
    assert.equal((await patch(set('/steps/0/order', 9))).status, 200)
  })

  it('have traits of their own path', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/runbooks', RUNBOOK)
    const path = `/v1/runbooks/${RUNBOOK.name}/traits`
    const traits = async () => (await ask('GET', path)).body.traits

    const answers = [
      await ask('PUT', path, { traits: ['CUSTOM_B', 'CUSTOM_A', 'CUSTOM_B'] }),
      await ask('PUT', `${path}/CUSTOM_C`),
      await ask('DELETE', `${path}/CUSTOM_A`),
      await ask('DELETE', `${path}/CUSTOM_NEVER`),
    ]

    assert.deepEqual(
      answers.map(({ status }) => status),
      [204, 204, 204, 204],
    )
    assert.deepEqual(await traits(), ['CUSTOM_B', 'CUSTOM_C'])
    assert.equal((await ask('PUT', path, { traits: ['bad'] })).status, 400)
    assert.equal((await ask('PUT', `${path}/bad`)).status, 400)
    assert.equal((await ask('DELETE', path)).status, 204)
    assert.deepEqual(await traits(), [])
    assert.equal((await ask('GET', '/v1/runbooks/nobody/traits')).status, 404)
  })
})

describe('a runbook in PUT states/provision', () => {
  async function scene(t: TestContext, runbook: Json = {}, traits: string[] = ['CUSTOM_OK']) {
    const rig = await openRig(t)
    const node = await enrolled(rig.ask)
    await rig.store.nodes.update(node.uuid, { provision_state: 'manageable', traits })
    await rig.ask('POST', '/v1/runbooks', { ...RUNBOOK, ...runbook })
    await rig.ask('PUT', `/v1/runbooks/${RUNBOOK.name}/traits`, { traits: ['CUSTOM_OK', 'CUSTOM_FINE'] })
    const put = (body: Json, version = '1.115') =>
      rig.ask('PUT', `/v1/nodes/${node.uuid}/states/provision`, { runbook: RUNBOOK.name, ...body }, { version })
    return { ...rig, uuid: node.uuid, put }
  }
  const steps = [
    { interface: 'raid', step: 'delete_configuration', args: {} },
    { interface: 'deploy', step: 'erase_devices', args: { fast: true } },
  ]

  it('gives a cleaning or a service its steps, in their order', async (t) => {
    const { put, conductor } = await scene(t, { disable_ramdisk: true })

    const answers = [await put({ target: 'clean' }), await put({ target: 'service' })]

    assert.deepEqual(
      answers.map(({ status }) => status),
      [202, 202],
    )
    assert.deepEqual(
      conductor.asked.map((asked) => asked.with),
      [
        { target: 'clean', clean_steps: steps, disable_ramdisk: true },
        { target: 'service', service_steps: steps, disable_ramdisk: true },
      ],
    )
  })

  it('is for nodes that have one of its traits', async (t) => {
    const { put, uuid, ask, conductor } = await scene(t, {}, ['CUSTOM_OTHER'])

    const other = await put({ target: 'clean' })
    await ask('DELETE', `/v1/runbooks/${RUNBOOK.name}/traits`)
    const bare = await put({ target: 'clean' })

    assert.deepEqual(
      [other.status, other.fault],
      [
        400,
        `This runbook has not been approved for use on this node ${uuid}. The node does not have any of the runbook's ` +
          "traits ['CUSTOM_FINE', 'CUSTOM_OK']. Please ask an administrator to add a matching trait to your node.",
      ],
    )
    assert.match(bare.fault, /^Runbook [0-9a-f-]{36} has no traits configured\. Please ask an administrator/)
    assert.deepEqual(conductor.asked, [])
  })

  it('is, before 1.112, for nodes that have a trait of its name', async (t) => {
    const named = await scene(t, {}, [RUNBOOK.name])
    const other = await scene(t, {}, ['CUSTOM_OK'])

    assert.equal((await named.put({ target: 'clean' }, '1.111')).status, 202)
    const refused = await other.put({ target: 'clean' }, '1.111')
    assert.deepEqual(
      [refused.status, refused.fault],
      [
        400,
        `This runbook has not been approved for use on this node ${other.uuid}. Please ask an administrator to add it to your node traits.`,
      ],
    )
  })

  it('is refused where it does not fit', async (t) => {
    const { put } = await scene(t)

    assert.deepEqual(
      [
        (await put({ target: 'clean', clean_steps: steps })).fault,
        (await put({ target: 'provide' })).fault,
        (await put({ target: 'clean', runbook: 'nobody' })).fault,
      ],
      [
        'Please provide either "clean_steps" or a runbook, but not both.',
        `"runbooks" is only valid when setting target provision state to any of ['clean', 'service']`,
        'Runbook nobody could not be found.',
      ],
    )
    assert.equal((await put({ target: 'clean' }, '1.91')).status, 406)
  })
})
