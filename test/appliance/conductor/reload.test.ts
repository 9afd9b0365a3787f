/** Plugins that are loaded anew while nodes are deployed by them. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { DeployPlugin } from '../../../appliance/plugin-api/index.ts'
import { hardwareOnPaper } from '../hardware/hardware-on-paper.ts'
import { DONE, pluginOf } from './odd-plugin.ts'
import { configOf, startTrial } from './trial.ts'

const OPTIONS = { word: { section: 'odd', help: 'A word.', type: 'string', default: 'none' } } as const

/** Waits for an installer, then says by which version each part of its life was run. */
const versioned = (version: string, said: string[]): DeployPlugin =>
  pluginOf({
    options: OPTIONS,
    async cleanUp() {
      said.push(`cleanUp ${version}`)
    },
    deploySteps: () => [
      {
        step: 'only',
        priority: 80,
        async run(task) {
          said.push(`run ${version}`)
          await task.keep({ token: await task.callback.token() })
          return { wait: 'callback' }
        },
        async resume(task, sign) {
          said.push(`resume ${version} ${task.options.word}`)
          if (sign.from === 'callback' && sign.status === 'error') throw task.failure('no luck')
          return DONE
        },
      },
    ],
  })

async function waiting(t: TestContext) {
  const said: string[] = []
  const option_values = () => ({ word: 'old' })
  const trial = await startTrial(t, { plugins: [versioned('1', said)], option_values })
  const { uuid } = await trial.createNode()
  const deploy = async () => {
    await trial.conductor.provision(uuid, { target: 'active' })
    return trial.untilState(uuid, 'wait call-back')
  }
  const report = async (agent_status: string) => {
    const { token } = trial.node(uuid).driver_internal_info.deploy_kept as { token: string }
    await trial.conductor.heartbeat(uuid, { callback_url: '', agent_token: token, agent_status })
  }
  const take = (version: string) =>
    trial.conductor.takePlugins({
      plugins: [versioned(version, said)],
      hardware: hardwareOnPaper(configOf('[DEFAULT]\nenabled_hardware_types = fake-hardware\n')),
      option_values: () => ({ word: 'new' }),
    })
  await deploy()
  return { trial, uuid, said, deploy, report, take }
}

describe('plugins that are loaded anew', () => {
  it('leave a deploy that waits to the code and options that it began with, and have the next one', async (t) => {
    const { trial, uuid, said, deploy, report, take } = await waiting(t)

    take('2')
    take('3')
    await report('end')
    await trial.untilState(uuid, 'active')
    await trial.conductor.provision(uuid, { target: 'rebuild' })
    await trial.untilState(uuid, 'wait call-back')
    await report('end')
    await trial.untilState(uuid, 'active')

    assert.ok(deploy)
    assert.deepEqual(said, ['run 1', 'resume 1 old', 'cleanUp 1', 'run 3', 'resume 3 new', 'cleanUp 3'])
  })

  it('clean up after a failure by the code that failed, and are new for the next attempt', async (t) => {
    const { trial, uuid, said, deploy, report, take } = await waiting(t)

    take('2')
    await report('error')
    await trial.untilState(uuid, 'deploy failed')
    await deploy()

    assert.deepEqual(said, ['run 1', 'resume 1 old', 'cleanUp 1', 'run 2'])
  })

  it('are the new ones for who has no procedure under way', async (t) => {
    const { trial, uuid, said, report, take } = await waiting(t)
    await report('end')
    await trial.untilState(uuid, 'active')

    take('2')
    await trial.conductor.provision(uuid, { target: 'deleted' })
    await trial.untilState(uuid, 'available')

    assert.equal(said.at(-1), 'cleanUp 2')
  })
})
