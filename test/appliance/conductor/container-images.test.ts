/** Which container image a node holds in the registry mirror, and for how long. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { NodeRegistry } from '../../../appliance/conductor/parts/node-registry.ts'
import type { DeployPlugin, Task } from '../../../appliance/plugin-api/index.ts'
import { CONTAINER } from '../../../appliance/plugin-testing/task-on-paper.ts'
import { startTrial, type TrialOptions } from './trial.ts'

const DONE = { done: true } as const
const { reference, digest, manifest_digest } = CONTAINER

/** Who holds what, as a mirror would keep it. */
function mirrorOnPaper() {
  const held = new Map<string, string>()
  const revoked: string[] = []
  const registry: NodeRegistry = {
    readSecret: () => ({ problem: 'is not read here' }),
    inspect: async (named) => ({ ...CONTAINER, reference: named }),
    async hold(image, { owner, progress }) {
      progress?.(image.size_bytes, image.size_bytes)
      held.set(owner, image.reference)
    },
    release: async (owner) => held.delete(owner),
    revoke: async (owner) => void revoked.push(owner),
    access: async () => ({ location: 'box:5000/x', registry: 'box:5000', insecure: true, guarded: false }),
  }
  return { registry, held, revoked }
}

function pluginThat(run: (task: Task) => Promise<void>): DeployPlugin {
  const only = {
    step: 'only',
    priority: 80,
    async run(task: Task) {
      await run(task)
      return DONE
    },
  }
  return { apiVersion: '1', name: 'odd', options: {}, usesAgent: false, async validate() {}, deploySteps: () => [only] }
}

async function deployed(t: TestContext, run: (task: Task) => Promise<void>, options: TrialOptions = {}) {
  const mirror = mirrorOnPaper()
  const trial = await startTrial(t, { registry: mirror.registry, ...options, plugins: [pluginThat(run)] })
  const { uuid } = await trial.createNode()
  await trial.conductor.provision(uuid, { target: 'active' })
  return { trial, uuid, ...mirror }
}
const holds = async (task: Task) => task.registry?.hold(CONTAINER)

describe('how a container image is reached', () => {
  it('is told for a guest by the address that the mirror has there, and for all others by its own', async (t) => {
    const seen: unknown[] = []
    const { trial, uuid } = await deployed(t, async ({ registry }) => {
      for (const whom of ['guest', 'host', 'deploy'] as const)
        seen.push(await registry?.access(CONTAINER, { for: whom }))
    })
    await trial.untilState(uuid, 'active')

    const own = { location: 'box:5000/x', registry: 'box:5000', insecure: true, guarded: false }
    assert.deepEqual(seen, [{ ...own, location: '10.0.2.100:5000/x', registry: '10.0.2.100:5000' }, own, own])
  })
})

describe('container image of a node', () => {
  it('is in the record by reference and digest from when it is held, and while the node is active', async (t) => {
    const { trial, uuid, held, revoked } = await deployed(t, holds)

    const { driver_internal_info } = await trial.untilState(uuid, 'active')

    assert.deepEqual(driver_internal_info, { container_image: { reference, digest, manifest_digest } })
    assert.deepEqual([...held], [[`node:${uuid}`, reference]])
    assert.deepEqual(revoked, [`node:${uuid}`])
  })

  it('is let go when the node is torn down', async (t) => {
    const { trial, uuid, held } = await deployed(t, holds, { ini: '[conductor]\nautomated_clean = false\n' })
    await trial.untilState(uuid, 'active')

    await trial.conductor.provision(uuid, { target: 'deleted' })
    const { driver_internal_info } = await trial.untilState(uuid, 'available')

    assert.deepEqual([...held], [])
    assert.deepEqual(driver_internal_info, {})
  })

  it('is let go when the node is deployed anew without one', async (t) => {
    let first = true
    const { trial, uuid, held } = await deployed(t, async (task) => {
      if (first) await holds(task)
      first = false
    })
    await trial.untilState(uuid, 'active')

    await trial.conductor.provision(uuid, { target: 'rebuild' })
    await trial.until('second deploy', () => trial.deploys.length === 2)
    const { driver_internal_info } = await trial.untilState(uuid, 'active')

    assert.deepEqual([...held], [])
    assert.deepEqual(driver_internal_info, {})
  })

  it('is let go when the node is deleted', async (t) => {
    const { trial, uuid, held } = await deployed(t, holds)
    await trial.untilState(uuid, 'active')

    await trial.conductor.withNode(uuid, 'node deletion', () => trial.store.nodes.delete(uuid))

    assert.deepEqual([...held], [])
  })

  it('stays held when the deploy fails, and its tickets end', async (t) => {
    const { trial, uuid, held, revoked } = await deployed(t, async (task) => {
      await holds(task)
      throw task.failure('The disk is on fire.')
    })

    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(last_error, 'Deploy step deploy.only failed: The disk is on fire.')
    assert.deepEqual([...held], [[`node:${uuid}`, reference]])
    assert.deepEqual(revoked, [`node:${uuid}`])
  })

  it('is asked for nowhere on an appliance without a registry', async (t) => {
    let found: unknown = 'not asked'
    const trial = await startTrial(t, {
      plugins: [
        pluginThat(async (task) => {
          found = task.registry
        }),
      ],
    })
    const { uuid } = await trial.createNode()

    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'active')

    assert.equal(found, undefined)
  })
})
