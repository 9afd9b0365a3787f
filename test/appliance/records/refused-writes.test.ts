/**
 * What a disk that is full or broken means for records: a refusal in words, nothing changed, and work that goes on
 * afterwards.
 */
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { InsufficientStorage } from '../../../appliance/errors.ts'
import { NotKept } from '../../../appliance/records/storage/commits.ts'
import { brokenDisk, countingDisk, fullDisk } from './disks.ts'
import { keptLog, openAt, someNode, somePort, stateFolder } from './state-folder.ts'

describe('full disk', () => {
  it('refuses the change with 507 and says where room is needed', async (t) => {
    const state_path = stateFolder(t)
    const { disk, leave } = fullDisk()
    const { log, lines } = keptLog()
    const { nodes } = await openAt(t, state_path, { disk, log })
    const node = await nodes.create(someNode({ extra: { version: 1 } }))
    leave(100)

    await assert.rejects(nodes.update(node.uuid, { extra: { version: 2 } }), (error: InsufficientStorage) => {
      assert.ok(error instanceof InsufficientStorage)
      assert.equal(error.code, 507)
      assert.equal(
        error.message,
        `Nothing was changed: there is no room left in ${state_path} (ENOSPC: no space left on device, write). Free some, then try again.`,
      )
      return true
    })
    assert.deepEqual(
      lines.filter(({ level }) => level === 'error').map(({ message, changes }) => ({ message, changes })),
      [{ message: 'store write refused', changes: 1 }],
    )
  })

  it('changes nothing, neither in memory nor for the next start', async (t) => {
    const state_path = stateFolder(t)
    const { disk, leave } = fullDisk()
    const store = await openAt(t, state_path, { disk })
    const node = await store.nodes.create(someNode({ name: 'kept', extra: { version: 1 } }))
    const doomed = await store.nodes.create(someNode({ name: 'deleted' }))
    leave(0)

    const outcomes = await Promise.allSettled([
      store.nodes.update(node.uuid, { extra: { version: 2 }, name: 'changed' }),
      store.nodes.create(someNode({ name: 'created' })),
      store.nodes.delete(doomed.uuid),
      store.ports.create(somePort(node.uuid, '52:54:00:00:00:01')),
    ])
    leave(Number.POSITIVE_INFINITY)
    const inMemory = [...store.nodes.all()]
    await store.close()
    const again = await openAt(t, state_path)

    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected', 'rejected'],
    )
    assert.deepEqual(inMemory, [node, doomed])
    assert.deepEqual([...again.nodes.all()], [node, doomed])
    assert.equal(again.ports.size, 0)
    assert.deepEqual(again.repairs, [])
  })

  it('takes changes again as soon as there is room, names freed by the refusal included', async (t) => {
    const state_path = stateFolder(t)
    const { disk, leave } = fullDisk()
    const store = await openAt(t, state_path, { disk })
    leave(0)
    await assert.rejects(store.nodes.create(someNode({ name: 'first' })), InsufficientStorage)
    leave(Number.POSITIVE_INFINITY)

    const node = await store.nodes.create(someNode({ name: 'first' }))
    await store.close()
    const again = await openAt(t, state_path)

    assert.deepEqual(again.nodes.by('name', 'first'), node)
  })

  it('keeps what is in the journal when a checkpoint finds no room, and brings it into its document later', async (t) => {
    const state_path = stateFolder(t)
    const { disk, leave } = fullDisk()
    const { log, lines } = keptLog()
    const store = await openAt(t, state_path, { disk, log })
    const node = await store.nodes.create(someNode())
    leave(0)
    await store.close()
    leave(Number.POSITIVE_INFINITY)

    const again = await openAt(t, state_path)

    assert.deepEqual(again.nodes.get(node.uuid), node)
    assert.deepEqual(
      lines.filter(({ level }) => level === 'error').map(({ message, documents }) => ({ message, documents })),
      [{ message: 'store checkpoint failed', documents: 1 }],
    )
  })
})

describe('broken disk', () => {
  it('refuses changes while it is broken, and takes them afterwards without losing those of before', async (t) => {
    const state_path = stateFolder(t)
    const { disk, isBroken } = brokenDisk()
    const store = await openAt(t, state_path, { disk })
    const before = await store.nodes.create(someNode({ name: 'before' }))
    isBroken(true)
    const refused = (name: string) =>
      assert.rejects(store.nodes.create(someNode({ name })), (error: NotKept) => {
        assert.ok(error instanceof NotKept)
        assert.equal(
          error.message,
          `Nothing was changed: ${state_path} cannot be written (EIO: i/o error, write). Look at its disk, then try again.`,
        )
        return true
      })
    await refused('refused')
    await refused('refused again')

    isBroken(false)
    const after = await store.nodes.create(someNode({ name: 'after' }))
    await store.close()
    const again = await openAt(t, state_path)

    assert.deepEqual([...again.nodes.all()], [before, after])
  })
})

describe('a refused change', () => {
  for (const [how, make] of [
    ['full', () => fullDisk()],
    ['broken', () => brokenDisk()],
  ] as const) {
    it(`does not come back when the appliance is killed while its disk is ${how}`, async (t) => {
      const state_path = stateFolder(t)
      const made = make()
      const { nodes } = await openAt(t, state_path, { disk: made.disk, checkpoint_delay_ms: 60_000 })
      const node = await nodes.create(someNode({ extra: { version: 1 } }))
      if ('leave' in made) made.leave(500)
      else made.isBroken(true)
      await assert.rejects(nodes.update(node.uuid, { extra: { version: 2 } }))
      const killed = join(stateFolder(t), 'killed')
      cpSync(state_path, killed, { recursive: true })

      const again = await openAt(t, killed)

      assert.deepEqual([...again.nodes.all()], [node])
      assert.deepEqual(again.repairs, [])
    })
  }
})

describe('group commit', () => {
  it('makes 64 changes at once durable with one sync', async (t) => {
    const { disk, syncs } = countingDisk()
    const { nodes } = await openAt(t, stateFolder(t), { disk, checkpoint_delay_ms: 60_000 })
    const created = await Promise.all(Array.from({ length: 64 }, () => nodes.create(someNode())))
    const before = syncs()

    await Promise.all(created.map(({ uuid }) => nodes.update(uuid, { extra: { changed: true } })))

    assert.equal(syncs() - before, 1)
    assert.ok([...nodes.all()].every(({ extra }) => extra.changed === true))
  })

  it('lets changes that come while the disk is busy share the next sync', async (t) => {
    const { disk, syncs } = countingDisk()
    const { nodes } = await openAt(t, stateFolder(t), { disk, checkpoint_delay_ms: 60_000 })
    const { uuid } = await nodes.create(someNode({ extra: { count: 0 } }))
    const before = syncs()

    const first = nodes.update(uuid, { extra: { count: 1 } })
    await new Promise(setImmediate)
    const others = Array.from({ length: 63 }, () =>
      nodes.update(uuid, ({ extra }) => ({ extra: { count: Number(extra.count) + 1 } })),
    )
    await Promise.all([first, ...others])

    assert.equal(nodes.get(uuid)?.extra.count, 64)
    assert.ok(syncs() - before <= 2, `${syncs() - before} syncs`)
  })
})
