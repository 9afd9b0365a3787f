/** A resource of the table, over HTTP: what two rows, one of the store and one of the API, are enough for. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { filter } from '../../../appliance/api/collection.ts'
import type { ApiParts } from '../../../appliance/api/parts.ts'
import type { Resource } from '../../../appliance/api/resource.ts'
import { flag, integer, text } from '../../../appliance/api/schema.ts'
import { nodeOf } from '../../../appliance/api/v1/node/names.ts'
import { Conflict } from '../../../appliance/errors.ts'
import type { Base, Kind } from '../../../appliance/records/kind.ts'
import type { Records } from '../../../appliance/records/store.ts'
import { listen } from '../../../appliance/serve/listen.ts'
import { asker, enrolled, type Json, listed, openRig } from './rig.ts'

type Shelf = Base & { name: string | null; node_uuid: string; height: number; is_locked: boolean }

const SHELVES: Kind<Shelf, 'name', 'node_uuid'> = {
  noun: 'Shelf',
  defaults: { name: null, height: 42, is_locked: false },
  unique: { name: { conflict: ({ name }) => `A shelf with name ${name} already exists.` } },
  indexes: ['node_uuid'],
  owner: { kind: 'nodes', field: 'node_uuid' },
}

const FIELDS: Resource<Shelf>['fields'] = {
  ...{ uuid: {}, created_at: {}, updated_at: {} },
  name: { write: text.nullable() },
  node_uuid: { write: text, on: 'create' },
  height: { write: integer, none: 42 },
  is_locked: { since: 60, write: flag, none: false },
}

/** Shelves belong to nodes; one that is full does not let its shelves go. */
function shelfResource(parts: ApiParts): Resource<Shelf> {
  const { shelves } = parts.store as unknown as { shelves: Records<Shelf> }
  return {
    ...{ name: 'shelves', noun: 'Shelf', since: 50, named: 0, records: shelves, fields: FIELDS },
    defaults: ['uuid', 'name'],
    filters: { height: filter(integer, (shelf, wanted) => shelf.height === wanted) },
    within: [
      { path: 'nodes/:node/shelves', candidates: (call) => shelves.where('node_uuid', nodeOf(call, parts).uuid) },
    ],
    create: { required: ['node_uuid'] },
    node: {
      uuidOf: ({ node_uuid }) => node_uuid,
      checkDelete({ maintenance }, { uuid }) {
        if (maintenance) throw new Conflict(`Shelf ${uuid} stays.`)
      },
    },
  }
}

async function scene(t: TestContext) {
  const rig = await openRig(t, { more: { kinds: { shelves: SHELVES }, resource: shelfResource } })
  const server = await listen(rig.app.fetch, { host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  const base = `http://127.0.0.1:${server.port}`
  const ask = asker((path, init) => fetch(`${base}${path}`, init))
  const node = await enrolled(ask)
  const made = async (fields: Json): Promise<string> => {
    const { status, body, text } = await ask('POST', '/v1/shelves', { node_uuid: node.uuid, ...fields })
    assert.equal(status, 201, text)
    return String(body.uuid)
  }
  return { ...rig, ask, base, node, made }
}

describe('a resource of the table', () => {
  it('is created, shown by uuid and by name, and told with its links', async (t) => {
    const { ask, base, node } = await scene(t)

    const created = await ask('POST', '/v1/shelves', { node_uuid: node.uuid, name: 'one' })

    const { uuid, created_at } = created.body
    assert.deepEqual([created.status, created.headers.get('location')], [201, `${base}/v1/shelves/${uuid}`])
    assert.deepEqual(created.body, {
      ...{ uuid, created_at, updated_at: null },
      ...{ name: 'one', node_uuid: node.uuid, height: 42, is_locked: false },
      links: [
        { href: `${base}/v1/shelves/${uuid}`, rel: 'self' },
        { href: `${base}/shelves/${uuid}`, rel: 'bookmark' },
      ],
    })
    for (const ident of [uuid, 'one']) {
      assert.deepEqual((await ask('GET', `/v1/shelves/${ident}`)).body, created.body)
    }
  })

  it('is listed in pages, filtered, sorted, whole, and in the fields that are asked for', async (t) => {
    const { ask, base, made } = await scene(t)
    const [a, b, c] = [await made({ name: 'a' }), await made({ name: 'b', height: 9 }), await made({ name: 'c' })]
    const names = async (query: string) => listed(await ask('GET', `/v1/shelves${query}`), 'shelves', 'name')

    const page = await ask('GET', '/v1/shelves?limit=2')

    assert.deepEqual(listed(page, 'shelves'), [a, b])
    assert.deepEqual(Object.keys((page.body.shelves as Json[])[0] ?? {}), ['uuid', 'name', 'links'])
    assert.equal(page.body.next, `${base}/v1/shelves?limit=2&marker=${b}`)
    assert.deepEqual(await names(`?limit=2&marker=${b}`), ['c'])
    assert.deepEqual(await names('?height=42'), ['a', 'c'])
    assert.deepEqual(await names('?sort_key=name&sort_dir=desc'), ['c', 'b', 'a'])
    assert.deepEqual(await names(`?sort_key=height&marker=${c}`), ['b'])
    const [first] = (await ask('GET', '/v1/shelves?fields=height,is_locked')).body.shelves as Json[]
    assert.deepEqual([first?.height, first?.is_locked, first?.name], [42, false, undefined])
    const detail = (await ask('GET', '/v1/shelves/detail')).body.shelves as Json[]
    assert.deepEqual(detail[1], (await ask('GET', `/v1/shelves/${b}`)).body)
  })

  it('is listed below the record that it belongs to', async (t) => {
    const { ask, made, node } = await scene(t)
    const other = await enrolled(ask, { name: 'other' })
    const mine = await made({})
    await made({ node_uuid: other.uuid, name: 'theirs' })

    assert.deepEqual(listed(await ask('GET', `/v1/nodes/${node.uuid}/shelves`), 'shelves'), [mine])
    assert.deepEqual(listed(await ask('GET', '/v1/nodes/other/shelves/detail'), 'shelves', 'name'), ['theirs'])
    assert.equal((await ask('GET', '/v1/nodes/nobody/shelves')).status, 404)
  })

  it('is patched, each value checked, in its writable fields only', async (t) => {
    const { ask, made, store } = await scene(t)
    const uuid = await made({ name: 'one', height: 9 })
    const patch = (op: object, version = '1.115') => ask('PATCH', `/v1/shelves/${uuid}`, [op], { version })

    const changed = await patch({ op: 'replace', path: '/is_locked', value: 'true' })
    const removed = await patch({ op: 'remove', path: '/height' })

    assert.deepEqual([changed.status, changed.body.is_locked, removed.body.height], [200, true, 42])
    assert.notEqual(removed.body.updated_at, null)
    const refusals = await Promise.all([
      patch({ op: 'replace', path: '/height', value: 'high' }),
      patch({ op: 'replace', path: '/node_uuid', value: 'x' }),
      patch({ op: 'replace', path: '/is_locked', value: false }, '1.59'),
    ])
    assert.deepEqual(
      refusals.map(({ status, fault }) => [status, fault]),
      [
        [400, "Schema error for patch of height: it is 'high': expected an integer"],
        [400, 'Cannot patch /node_uuid. Only the following can be updated: name, height, is_locked'],
        [406, 'Request not acceptable. The minimal required API version for the field is_locked should be 1.60'],
      ],
    )
    assert.equal((store as unknown as { shelves: Records<Shelf> }).shelves.get(uuid)?.is_locked, true)
  })

  it('is deleted when its node lets it go, and not while that is reserved', async (t) => {
    const { ask, made, node, store } = await scene(t)
    const uuid = await made({})
    const remove = () => ask('DELETE', `/v1/shelves/${uuid}`)

    await store.nodes.update(node.uuid, { maintenance: true })
    const refused = await remove()
    await store.nodes.update(node.uuid, { maintenance: false, reservation: 'rack-1' })
    const locked = await remove()
    await store.nodes.update(node.uuid, { reservation: null })
    const gone = await remove()

    assert.deepEqual([refused.status, refused.fault], [409, `Shelf ${uuid} stays.`])
    assert.deepEqual([locked.status, gone.status, gone.text], [409, 204, ''])
    assert.deepEqual((await ask('GET', `/v1/shelves/${uuid}`)).fault, `Shelf ${uuid} could not be found.`)
  })

  it('is not there before its version, and is found at /v1 since', async (t) => {
    const { ask, made } = await scene(t)
    const uuid = await made({})
    const before = { version: '1.49' }

    const answers = await Promise.all([
      ask('GET', '/v1/shelves', undefined, before),
      ask('GET', `/v1/shelves/${uuid}`, undefined, before),
      ask('POST', '/v1/shelves', {}, before),
      ask('PATCH', `/v1/shelves/${uuid}`, [], before),
      ask('DELETE', `/v1/shelves/${uuid}`, undefined, before),
    ])

    assert.deepEqual(
      answers.map(({ status }) => status),
      [404, 404, 404, 404, 404],
    )
    assert.equal('shelves' in (await ask('GET', '/v1', undefined, before)).body, false)
    assert.equal('shelves' in (await ask('GET', '/v1', undefined, { version: '1.50' })).body, true)
  })

  it('refuses what has no required field, a field too many, a taken name, a strange ident', async (t) => {
    const { ask, made, node } = await scene(t)
    const node_uuid = node.uuid
    await made({ name: 'one' })

    const answers = await Promise.all([
      ask('POST', '/v1/shelves', {}),
      ask('POST', '/v1/shelves', { node_uuid, colour: 'red' }),
      ask('POST', '/v1/shelves', { node_uuid, name: 'one' }),
      ask('POST', '/v1/shelves', { node_uuid: '1be26c0b-03f2-4d2e-ae87-c02d7f33c123' }),
      ask('GET', '/v1/shelves/%20'),
    ])

    assert.deepEqual(
      answers.map(({ status, fault }) => [status, fault]),
      [
        [400, "Schema error for shelf: 'node_uuid' is a required property"],
        [400, "Schema error for shelf: Additional properties are not allowed ('colour' was unexpected)"],
        [409, 'A shelf with name one already exists.'],
        [400, 'Node 1be26c0b-03f2-4d2e-ae87-c02d7f33c123 could not be found.'],
        [400, 'Expected UUID or name for shelf_ident:  '],
      ],
    )
  })
})
