/** The table of kinds: what a row is enough for. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type Base, type Kind, newRecord } from '../../../appliance/records/kind.ts'
import { KINDS } from '../../../appliance/records/kinds.ts'
import { openStoreOf } from '../../../appliance/records/open-store.ts'
import type { Disk } from '../../../appliance/records/storage/disk.ts'
import { fullDisk } from './disks.ts'
import { quiet, someNode, somePort, stateFolder } from './state-folder.ts'

type Shelf = Base & { name: string | null; node_uuid: string; room: string; height: number; is_locked: boolean }

const SHELVES: Kind<Shelf, 'name', 'node_uuid' | 'room'> = {
  noun: 'Shelf',
  defaults: { name: null, room: 'hall', height: 42, is_locked: false },
  unique: { name: { conflict: ({ name }) => `A shelf with name ${name} already exists.` } },
  indexes: ['node_uuid', 'room'],
  volatile: { is_locked: false },
  spelling: { room: (room) => room.toLowerCase() },
  owner: { kind: 'nodes', field: 'node_uuid' },
}
const NODE = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const OTHER = '2be26c0b-03f2-4d2e-ae87-c02d7f33c123'

const openShelves = async (t: TestContext, state_path: string, disk?: Disk) => {
  const store = await openStoreOf({ ...KINDS, shelves: SHELVES }, { state_path, log: quiet, ...(disk && { disk }) })
  t.after(() => store.close().catch(() => {}))
  return store
}
const shelf = (fields: Partial<Shelf>) => newRecord(SHELVES, { node_uuid: NODE, ...fields })

describe('a kind of records that is a row of the table', () => {
  it('has a folder of its own, and comes back after a restart', async (t) => {
    const state_path = stateFolder(t)
    const store = await openShelves(t, state_path)
    await store.nodes.create(someNode({ uuid: NODE }))
    const made = await store.shelves.create(shelf({ name: 'one' }))
    await store.shelves.update(made.uuid, { is_locked: true })
    await store.close()

    const { shelves } = await openShelves(t, state_path)

    assert.deepEqual(shelves.find('one'), made)
    assert.ok(existsSync(join(state_path, `shelves/${made.uuid}.json`)))
  })

  it('is found by its unique and its indexed fields, in their one spelling', async (t) => {
    const { nodes, shelves } = await openShelves(t, stateFolder(t))
    await nodes.create(someNode({ uuid: NODE }))
    const first = await shelves.create(shelf({ name: 'one', room: 'Hall' }))
    const second = await shelves.create(shelf({ room: 'cellar' }))

    const third = await shelves.update(second.uuid, { room: 'HALL' })

    assert.equal(shelves.by('name', 'one'), first)
    assert.deepEqual(shelves.where('room', 'hALL'), [first, third])
    assert.deepEqual(shelves.where('room', 'cellar'), [])
    assert.throws(() => shelves.find('two'), { code: 404, message: 'Shelf two could not be found.' })
    await assert.rejects(shelves.create(shelf({ name: 'one' })), {
      code: 409,
      message: 'A shelf with name one already exists.',
    })
  })

  it('is refused without its owner', async (t) => {
    const { nodes, shelves } = await openShelves(t, stateFolder(t))
    const refusal = { code: 400, message: `Node ${OTHER} could not be found.` }
    await nodes.create(someNode({ uuid: NODE }))
    const made = await shelves.create(shelf({}))

    await assert.rejects(shelves.create(shelf({ node_uuid: OTHER })), refusal)
    await assert.rejects(shelves.update(made.uuid, { node_uuid: OTHER }), refusal)

    assert.deepEqual([...shelves.all()], [made])
  })

  it('goes with its owner, and none that is created at the same moment stays behind', async (t) => {
    const state_path = stateFolder(t)
    const store = await openShelves(t, state_path)
    for (const uuid of [NODE, OTHER]) await store.nodes.create(someNode({ uuid }))
    await store.ports.create(somePort(NODE, '52:54:00:00:00:01'))
    const kept = await store.shelves.create(shelf({ node_uuid: OTHER }))

    const before = store.shelves.create(shelf({}))
    const deletion = store.nodes.delete(NODE)
    const after = store.shelves.create(shelf({}))

    await assert.rejects(after, { code: 400 })
    await Promise.all([before, deletion])
    await store.close()
    const again = await openShelves(t, state_path)
    assert.deepEqual([[...again.shelves.all()], again.ports.size, again.nodes.size], [[kept], 0, 1])
  })

  it('stays with its owner when the disk refuses the deletion', async (t) => {
    const { disk, leave } = fullDisk()
    const store = await openShelves(t, stateFolder(t), disk)
    await store.nodes.create(someNode({ uuid: NODE }))
    const made = await store.shelves.create(shelf({ name: 'one' }))

    leave(0)
    await assert.rejects(store.nodes.delete(NODE), { code: 507 })

    assert.deepEqual(store.shelves.where('node_uuid', NODE), [made])
    assert.equal(store.nodes.get(NODE)?.uuid, NODE)
    leave(Number.POSITIVE_INFINITY)
    await store.nodes.delete(NODE)
    assert.equal(store.shelves.size, 0)
  })
})
