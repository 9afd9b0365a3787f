/** Clean steps that depend on the node: looked up as the cleaning begins, and kept for it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DeployPlugin } from '../../../appliance/plugin-api/index.ts'
import { cleaning, manageable } from './cleaning.ts'
import { DONE, pluginOf } from './odd-plugin.ts'

/** Its steps are named by the node, as a file on the box would. */
const named = (done: string[]): Partial<DeployPlugin> => ({
  async prepareClean(task) {
    const { steps } = task.node.extra
    if (!Array.isArray(steps)) throw task.failure('extra/steps is no list')
    await task.keep({ steps })
  },
  cleanSteps: (_kit, { steps = [] }) =>
    (steps as string[]).map((step) => ({
      step,
      priority: 50,
      async run() {
        done.push(step)
        return DONE
      },
    })),
})

describe('clean steps that a plugin looks up for a node', () => {
  it('run in its cleaning, the agent is up, and nothing is kept of them afterwards', async (t) => {
    const done: string[] = []
    const plugin = pluginOf(named(done))

    const { trial, agent, uuid } = await cleaning(t, {
      plugins: [plugin],
      fields: { extra: { steps: ['polish', 'wax'] } },
    })
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'available')

    assert.deepEqual(done, ['polish', 'wax'])
    assert.equal(node.driver_internal_info.clean_kept, undefined)
  })

  it('that cannot be looked up fail the cleaning before the machine is started', async (t) => {
    const plugin = pluginOf(named([]))

    const { trial, uuid } = await manageable(t, { plugins: [plugin] })
    await trial.conductor.provision(uuid, { target: 'provide' })
    const { last_error } = await trial.untilState(uuid, 'clean failed')

    assert.equal(last_error, `Validation of node ${uuid} for cleaning failed: extra/steps is no list`)
  })

  it('are the ones that may be asked for, with the arguments that they know', async (t) => {
    const plugin = pluginOf(named([]))
    const fields = { extra: { steps: ['polish'] } }
    const step = { interface: 'deploy', step: 'polish', args: { how: 'well' } }

    const { trial, agent, uuid } = await cleaning(
      t,
      { plugins: [plugin], fields },
      { target: 'clean', clean_steps: [step] },
    )
    await agent.boot(trial.conductor)
    const { last_error } = await trial.untilState(uuid, 'clean failed')

    assert.match(last_error ?? '', /clean step deploy\.polish has these unexpected arguments: how$/)
  })
})
