/** One task at a time holds a node, and no lock outlives the process. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { reserve, withReservation } from '../../../appliance/records/reservations.ts'
import { countingDisk } from './disks.ts'
import { openAt, someNode, stateFolder } from './state-folder.ts'

const UUID = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'

describe('a reservation', () => {
  it('is given to one of two that ask in the same turn; the other is told who holds the node', async (t) => {
    const store = await openAt(t, stateFolder(t))
    await store.nodes.create(someNode({ uuid: UUID }))

    const [first, second] = await Promise.allSettled([reserve(store, 'rack-1', UUID), reserve(store, 'rack-1', UUID)])

    assert.equal(first.status, 'fulfilled')
    assert.equal(second.status, 'rejected')
    assert.deepEqual(
      { code: second.reason.code, message: second.reason.message },
      {
        code: 409,
        message: `Node ${UUID} is locked by host rack-1, please retry after the current operation is completed.`,
      },
    )
  })

  it('ends with its work, also when that throws', async (t) => {
    const store = await openAt(t, stateFolder(t))
    await store.nodes.create(someNode({ uuid: UUID }))
    const during: unknown[] = []

    await withReservation(store, 'rack-1', UUID, async (node) => void during.push(node.reservation))
    await assert.rejects(
      withReservation(store, 'rack-1', UUID, async () => {
        throw new Error('work failed')
      }),
      { message: 'work failed' },
    )

    assert.deepEqual(during, ['rack-1'])
    assert.equal(store.nodes.get(UUID)?.reservation, null)
  })

  it('is given back once only, so that it frees nobody else', async (t) => {
    const store = await openAt(t, stateFolder(t))
    await store.nodes.create(someNode({ uuid: UUID }))
    const release = await reserve(store, 'rack-1', UUID)
    await release()
    await reserve(store, 'rack-1', UUID)

    await release()

    assert.equal(store.nodes.get(UUID)?.reservation, 'rack-1')
  })

  it('may end after its node is gone', async (t) => {
    const store = await openAt(t, stateFolder(t))
    await store.nodes.create(someNode({ uuid: UUID }))
    const release = await reserve(store, 'rack-1', UUID)
    await store.nodes.delete(UUID)

    await release()

    assert.equal(store.nodes.get(UUID), undefined)
  })

  it('costs no write, survives changes under way, and is gone after a restart', async (t) => {
    const state_path = stateFolder(t)
    const { disk, syncs } = countingDisk()
    const store = await openAt(t, state_path, { disk, checkpoint_delay_ms: 60_000 })
    await store.nodes.create(someNode({ uuid: UUID }))
    const before = syncs()
    const change = store.nodes.update(UUID, { description: 'under way' })
    await reserve(store, 'rack-1', UUID)
    await change
    const after = syncs()
    const held = store.nodes.get(UUID)
    await store.close()

    const again = await openAt(t, state_path)

    assert.equal(after - before, 1)
    assert.deepEqual([held?.reservation, held?.description], ['rack-1', 'under way'])
    assert.deepEqual([again.nodes.get(UUID)?.reservation, again.nodes.get(UUID)?.description], [null, 'under way'])
  })
})
