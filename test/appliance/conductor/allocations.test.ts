/** Allocations in the conductor: what waits, what a restart finds, and what goes with an instance. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Allocation } from '../../../appliance/records/kinds/allocation.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { startTrial, type Trial } from './trial.ts'

const INI = '[conductor]\nautomated_clean = false\nnode_locked_retry_attempts = 2\nnode_locked_retry_interval = 0\n'

async function scene(t: TestContext, fields: Partial<Node> = {}) {
  const trial = await startTrial(t, { ini: INI })
  const node = await trial.createNode({ resource_class: 'small', ...fields })
  return { trial, node }
}

const wanting = (trial: Trial, fields: Partial<Allocation> = {}) =>
  trial.store.allocations.create(trial.store.allocations.draft({ resource_class: 'small', ...fields }))

const ended = (trial: Trial, { uuid }: Allocation): Promise<Allocation> =>
  trial.until('the end of the allocation', () => {
    const now = trial.store.allocations.get(uuid)
    return now && now.state !== 'allocating' && now
  })

describe('an allocation', () => {
  it('binds itself and the node together, and keeps the traits for the deploy', async (t) => {
    const { trial, node } = await scene(t, { traits: ['CUSTOM_A', 'CUSTOM_B'] })
    const allocation = await wanting(trial, { traits: ['CUSTOM_A'] })

    trial.conductor.allocations.begin(allocation.uuid)
    const { state, node_uuid } = await ended(trial, allocation)

    const { allocation_uuid, instance_uuid, instance_info, reservation } = await trial.untilState(
      node.uuid,
      'available',
    )
    assert.deepEqual([state, node_uuid], ['active', node.uuid])
    assert.deepEqual([allocation_uuid, instance_uuid, reservation], [allocation.uuid, allocation.uuid, null])
    assert.deepEqual(instance_info.traits, ['CUSTOM_A'])
  })

  it('gets no node that another one got, however many ask at once', async (t) => {
    const { trial } = await scene(t)
    await trial.createNode({ resource_class: 'small' }, null)
    const asking = await Promise.all(Array.from({ length: 5 }, () => wanting(trial)))

    for (const { uuid } of asking) trial.conductor.allocations.begin(uuid)
    const ends = await Promise.all(asking.map((each) => ended(trial, each)))

    const got = ends.filter(({ state }) => state === 'active').map(({ node_uuid }) => node_uuid)
    assert.deepEqual([got.length, new Set(got).size], [2, 2])
    for (const node of trial.store.nodes.all()) assert.equal(node.allocation_uuid, node.instance_uuid)
  })

  it('fails when all nodes that fit are held', async (t) => {
    const { trial, node } = await scene(t)
    await trial.store.nodes.update(node.uuid, { reservation: 'rackstrap' })
    const allocation = await wanting(trial)

    trial.conductor.allocations.begin(allocation.uuid)
    const { state, last_error } = await ended(trial, allocation)

    const reason = `Failed to process allocation ${allocation.uuid}: could not reserve any of 1 suitable nodes.`
    assert.deepEqual([state, last_error], ['error', reason])
  })

  it('that is deleted while it looks for a node leaves none bound', async (t) => {
    const { trial, node } = await scene(t)
    for (let turn = 0; turn < 20; turn++) {
      const { uuid } = await wanting(trial)

      trial.conductor.allocations.begin(uuid)
      for (let passed = 0; passed < turn; passed++) await new Promise(setImmediate)
      await trial.conductor.allocations.remove(uuid)
      await trial.untilState(node.uuid, 'available')

      const { allocation_uuid, instance_uuid } = trial.node(node.uuid)
      assert.deepEqual([allocation_uuid, instance_uuid, trial.store.allocations.size], [null, null, 0])
    }
    assert.deepEqual(
      trial.lines.filter(({ message }) => message === 'job failed'),
      [],
    )
  })

  it('is deleted with its instance, and its node is free again', async (t) => {
    const { trial, node } = await scene(t)
    const allocation = await wanting(trial)
    trial.conductor.allocations.begin(allocation.uuid)
    await ended(trial, allocation)
    await trial.untilState(node.uuid, 'available')
    await trial.store.nodes.update(node.uuid, { provision_state: 'active' })

    await trial.conductor.provision(node.uuid, { target: 'deleted' })
    const after = await trial.untilState(node.uuid, 'available')

    assert.deepEqual([after.allocation_uuid, after.instance_uuid], [null, null])
    assert.equal(trial.store.allocations.size, 0)
  })
})

describe('an allocation after a restart', () => {
  it('goes on when it had no node yet', async (t) => {
    const { trial, node } = await scene(t)
    const allocation = await wanting(trial)

    await trial.conductor.recover()

    assert.equal((await ended(trial, allocation)).node_uuid, node.uuid)
  })

  it('is told of its node when that was bound already', async (t) => {
    const { trial, node } = await scene(t)
    const allocation = await wanting(trial)
    await trial.store.nodes.update(node.uuid, { allocation_uuid: allocation.uuid, instance_uuid: allocation.uuid })

    await trial.conductor.recover()

    const now = trial.store.allocations.get(allocation.uuid)
    assert.deepEqual([now?.state, now?.node_uuid], ['active', node.uuid])
  })

  it('is gone when its node was freed already', async (t) => {
    const { trial, node } = await scene(t)
    await wanting(trial, { state: 'active', node_uuid: node.uuid })

    await trial.conductor.recover()

    assert.equal(trial.store.allocations.size, 0)
  })
})
