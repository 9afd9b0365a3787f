import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { FakeAgent, type FakeAgentOptions } from './fake-agent.ts'
import { MAC, startTrial } from './trial.ts'

async function booted(t: TestContext, options: Partial<FakeAgentOptions>) {
  const trial = await startTrial(t)
  const agent = new FakeAgent({ mac: MAC, ...options })
  t.after(() => agent.close())
  const { uuid } = await trial.createNode()
  await trial.conductor.provision(uuid, { target: 'active' })
  await trial.untilState(uuid, 'wait call-back')
  await agent.boot(trial.conductor)
  return { trial, agent, uuid }
}

describe('agent that', () => {
  it('works on something of its own is waited for', async (t) => {
    const { promise: busy, resolve } = Promise.withResolvers<void>()

    const { trial, agent, uuid } = await booted(t, { busy })
    await trial.until('refusal', () => agent.refused.length > 0)
    resolve()
    await trial.untilState(uuid, 'active')

    assert.equal(agent.refused[0], 'deploy.get_deploy_steps')
    assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'install_bootloader', 'sync', 'power_off'])
  })

  for (const [what, nonsense, reason] of [
    ['no list', 'seven', /answered something that is not its list of deploy steps/],
    ['a step without a name', { deploy_steps: { M: [{ priority: 50 }] } }, /answered something that is not its list/],
    [
      'more than a record should hold',
      { deploy_steps: {}, hardware_manager_version: { x: 'y'.repeat(300_000) } },
      /told of its deploy steps in 300\d\d\d characters: at most 262144 are taken\.$/,
    ],
  ] as const) {
    it(`tells ${what} when it is asked for its steps fails the deploy`, async (t) => {
      const { trial, uuid } = await booted(t, { nonsense })

      const { last_error, power_state } = await trial.untilState(uuid, 'deploy failed')

      assert.match(last_error ?? '', reason)
      assert.equal(power_state, 'power off')
    })
  }

  it('forgot what it was to do fails the deploy, long before the deadline', async (t) => {
    const { trial, agent, uuid } = await booted(t, { onStep: () => new Promise(() => {}) })
    await trial.until('command', () => agent.given.includes('write_image'))
    await trial.untilState(uuid, 'wait call-back')

    await agent.startAnew()
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.match(
      last_error ?? '',
      /^Deploy step deploy\.write_image failed: The agent of node .* no longer knows the command/,
    )
  })

  it('cannot be reached after its heartbeat fails the deploy, and says where it was looked for', async (t) => {
    const trial = await startTrial(t, { ini: '[agent]\nmax_command_attempts = 1\n' })
    const agent = new FakeAgent({ mac: MAC })
    const { uuid } = await trial.createNode()
    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'wait call-back')

    await agent.lookUp(trial.conductor)
    const { callback_url } = agent
    await trial.conductor.withNode(uuid, 'test', async () => {
      await agent.beat(trial.conductor)
      await agent.close()
    })
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.ok(
      last_error?.includes(`cannot be reached at ${callback_url} for command "deploy.get_deploy_steps"`),
      String(last_error),
    )
  })
})
