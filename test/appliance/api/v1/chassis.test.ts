import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE, enrolled, type Json, listed, openRig } from '../rig.ts'

const UUID = '5f2c0d9e-6f0b-4c43-9df3-6f1f7f4b8f10'

describe('/v1/chassis', () => {
  it('is made, shown, patched and deleted by uuid', async (t) => {
    const { ask } = await openRig(t)

    const made = await ask('POST', '/v1/chassis', { description: 'rack 4, units 1 to 4', extra: { owner: 'x' } })
    const uuid = String(made.body.uuid)
    const shown = await ask('GET', `/v1/chassis/${uuid}`)
    const patched = await ask('PATCH', `/v1/chassis/${uuid}`, [
      { op: 'replace', path: '/description', value: 'rack 5' },
      { op: 'remove', path: '/extra/owner' },
    ])
    const gone = await ask('DELETE', `/v1/chassis/${uuid}`)
    const after = await ask('GET', `/v1/chassis/${uuid}`)

    assert.deepEqual([made.status, made.headers.get('location')], [201, `${BASE}/v1/chassis/${uuid}`])
    const { created_at, ...fields } = made.body
    assert.match(String(created_at), /\+00:00$/)
    assert.deepEqual(fields, {
      ...{ uuid, updated_at: null, description: 'rack 4, units 1 to 4', extra: { owner: 'x' } },
      links: [
        { href: `${BASE}/v1/chassis/${uuid}`, rel: 'self' },
        { href: `${BASE}/chassis/${uuid}`, rel: 'bookmark' },
      ],
      nodes: [
        [
          { href: `${BASE}/v1/chassis/${uuid}/nodes`, rel: 'self' },
          { href: `${BASE}/chassis/${uuid}/nodes`, rel: 'bookmark' },
        ],
      ],
    })
    assert.deepEqual(shown.body, made.body)
    assert.deepEqual([patched.status, patched.body.description, patched.body.extra], [200, 'rack 5', {}])
    assert.deepEqual([gone.status, gone.text], [204, ''])
    assert.deepEqual([after.status, after.fault], [404, `Chassis ${uuid} could not be found.`])
  })

  it('lists uuid and description, or what is asked for', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/chassis', { uuid: UUID, description: 'one' })
    const keys = async (path: string) => Object.keys(((await ask('GET', path)).body.chassis as Json[])[0] ?? {})

    assert.deepEqual(await keys('/v1/chassis'), ['uuid', 'description', 'links'])
    assert.deepEqual(await keys('/v1/chassis?fields=extra,nodes,links'), ['extra', 'links', 'nodes'])
    const whole = ['uuid', 'created_at', 'updated_at', 'description', 'extra', 'links', 'nodes']
    assert.deepEqual(await keys('/v1/chassis/detail'), whole)
    assert.deepEqual(await keys('/v1/chassis?detail=True'), whole)
    assert.deepEqual(Object.keys((await ask('GET', `/v1/chassis/${UUID}?fields=uuid`)).body), ['uuid', 'links'])
  })

  it('says what is wrong', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/chassis', { uuid: UUID })
    const refused: readonly [method: string, path: string, body: unknown, status: number, fault: RegExp][] = [
      ['POST', '/v1/chassis', { uuid: UUID }, 409, /^A chassis with UUID .* already exists\.$/],
      ['POST', '/v1/chassis', { uuid: 'one' }, 400, /uuid is 'one': expected a UUID/],
      ['POST', '/v1/chassis', { description: 'x'.repeat(256) }, 400, /^Schema error for chassis: description/],
      ['POST', '/v1/chassis', { extra: 'x' }, 400, /^Schema error for chassis: extra/],
      ['POST', '/v1/chassis', { name: 'x' }, 400, /Additional properties are not allowed \('name' was unexpected\)$/],
      ['PATCH', `/v1/chassis/${UUID}`, [{ op: 'add', path: '/name', value: 'x' }], 400, /^Cannot patch \/name\. Only/],
      ['GET', '/v1/chassis/one', undefined, 400, /^Expected UUID for chassis_uuid: one$/],
      ['GET', '/v1/chassis?fields=name', undefined, 400, /^Field name is not a valid field/],
      [
        'GET',
        '/v1/chassis?sort_key=extra',
        undefined,
        400,
        /^The sort_key value "?extra"? is an invalid field for sort/,
      ],
      ['GET', `/v1/chassis?marker=${UUID.replace('5', '6')}`, undefined, 404, /^Chassis .* could not be found/],
    ]
    for (const [method, path, body, status, fault] of refused) {
      const answer = await ask(method, path, body)

      assert.equal(answer.status, status, `${method} ${path}`)
      assert.match(answer.fault, fault)
    }
  })
})

describe('nodes of a chassis', () => {
  it('are listed below it and by chassis_uuid, children when asked for', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/chassis', { uuid: UUID })
    const { uuid } = await enrolled(ask, { name: 'in', chassis_uuid: UUID })
    await enrolled(ask, { name: 'out' })
    await enrolled(ask, { name: 'child', chassis_uuid: UUID, parent_node: uuid })
    const names = async (path: string) => listed(await ask('GET', path), 'nodes', 'name')

    assert.deepEqual(await names(`/v1/chassis/${UUID}/nodes`), ['in'])
    assert.deepEqual(await names(`/v1/chassis/${UUID}/nodes/detail`), ['in'])
    assert.deepEqual(await names(`/v1/chassis/${UUID}/nodes?include_children=true`), ['in', 'child'])
    assert.deepEqual(await names(`/v1/nodes?chassis_uuid=${UUID}`), ['in'])
    const unknown = UUID.replace('5', '6')
    for (const path of [`/v1/chassis/${unknown}/nodes`, `/v1/nodes?chassis_uuid=${unknown}`]) {
      const { status, fault } = await ask('GET', path)
      assert.deepEqual([status, fault], [404, `Chassis ${unknown} could not be found.`])
    }
  })

  it('keep it from being deleted, until they leave it', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/chassis', { uuid: UUID })
    const node = await enrolled(ask)
    const patch = (op: object) => ask('PATCH', `/v1/nodes/${node.uuid}`, [op])

    const unknown = await patch({ op: 'add', path: '/chassis_uuid', value: UUID.replace('5', '6') })
    const entered = await patch({ op: 'add', path: '/chassis_uuid', value: UUID })
    const refused = await ask('DELETE', `/v1/chassis/${UUID}`)
    const left = await patch({ op: 'remove', path: '/chassis_uuid' })
    const gone = await ask('DELETE', `/v1/chassis/${UUID}`)

    assert.deepEqual([unknown.status, unknown.fault], [400, `Chassis ${UUID.replace('5', '6')} could not be found.`])
    assert.deepEqual([entered.status, entered.body.chassis_uuid], [200, UUID])
    assert.deepEqual(
      [refused.status, refused.fault],
      [400, `Cannot complete the requested action because chassis ${UUID} contains nodes.`],
    )
    assert.deepEqual([left.status, left.body.chassis_uuid, gone.status], [200, null, 204])
  })

  it('leave it since 1.25', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/chassis', { uuid: UUID })
    const { uuid } = await enrolled(ask, { chassis_uuid: UUID })

    const { status } = await ask('PATCH', `/v1/nodes/${uuid}`, [{ op: 'remove', path: '/chassis_uuid' }], {
      version: '1.24',
    })

    assert.equal(status, 406)
  })

  it('go without it', async (t) => {
    const { ask, store } = await openRig(t)
    await ask('POST', '/v1/chassis', { uuid: UUID })
    const { uuid } = await enrolled(ask, { chassis_uuid: UUID })

    const gone = await ask('DELETE', `/v1/nodes/${uuid}`)

    assert.equal(gone.status, 204)
    assert.deepEqual([store.nodes.size, store.chassis.size], [0, 1])
    assert.equal((await ask('DELETE', `/v1/chassis/${UUID}`)).status, 204)
  })
})
