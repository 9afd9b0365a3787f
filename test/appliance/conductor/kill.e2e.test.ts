/**
 * kill -9 in each state of a node's life: after a new start it goes on from there, or has failed with the reason. One
 * kill hits them all.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { offer } from './cleaning.ts'
import { FakeAgent } from './fake-agent.ts'
import { INSPECTIONS } from './killed-inspection.ts'
import { LIFE, type Scenario, type Situation } from './killed-life.ts'
import { ConductorProcess } from './killed-process.ts'

const bootAgent = async (conductor: ConductorProcess, { uuid, agent }: Situation) => {
  await conductor.untilState(uuid, 'wait call-back')
  await agent.boot(conductor)
}
const bootCleaner = async (conductor: ConductorProcess, { uuid, agent }: Situation) => {
  await conductor.untilState(uuid, 'clean wait')
  await agent.boot(conductor)
}
const isClean = (node: Node, { agent }: Situation) => {
  assert.deepEqual([node.power_state, node.clean_step, node.last_error], ['power off', {}, null])
  assert.deepEqual(agent.given, ['get_clean_steps', 'erase_devices_metadata'])
}
const PROVIDED = { from: 'manageable', target: 'provide', ends: 'available', check: isClean } as const
const isWhole = (node: Node) =>
  assert.deepEqual([node.power_state, node.deploy_step, node.last_error], ['power on', {}, null])
const WHOLE_DEPLOY = ['get_deploy_steps', 'write_image', 'install_bootloader', 'sync', 'power_off']
const wroteOnce = (node: Node, { agent }: Situation) => {
  isWhole(node)
  assert.equal(agent.given.filter((name) => name === 'write_image').length, 1)
}

const SCENARIOS: readonly Scenario[] = [
  ...LIFE,
  ...INSPECTIONS,
  {
    tells: 'deploying, before its first step: the deploy begins anew',
    hang_at: 'prepare',
    afterwards: bootAgent,
    ends: 'active',
    check: isWhole,
  },
  {
    tells: 'deploying, and its machine is being switched on: the deploy begins anew',
    hang_at: 'power on in deploying deploy',
    afterwards: bootAgent,
    ends: 'active',
    check: isWhole,
  },
  {
    tells: 'in wait call-back for its agent: the agent that calls afterwards is taken',
    reach: (conductor, { uuid }) => conductor.untilState(uuid, 'wait call-back'),
    afterwards: (conductor, { agent }) => agent.boot(conductor),
    ends: 'active',
    check: isWhole,
  },
  {
    tells: 'in wait call-back, and its agent has looked itself up: its token is still good',
    async reach(conductor, { uuid, agent }) {
      await conductor.untilState(uuid, 'wait call-back')
      await agent.lookUp(conductor)
    },
    afterwards: (conductor, { agent }) => agent.beat(conductor),
    ends: 'active',
    check: isWhole,
  },
  {
    tells: 'deploying, and its agent is just telling its steps: it is asked again, without another heartbeat',
    thinksOn: true,
    async reach(conductor, situation) {
      await bootAgent(conductor, situation)
      await situation.agent.untilGiven('get_deploy_steps')
    },
    afterwards: async (_conductor, { release }) => release(),
    ends: 'active',
    check: wroteOnce,
  },
  {
    tells: 'in wait call-back while the agent writes: the end of the writing is seen without a heartbeat',
    writesOn: true,
    async reach(conductor, situation) {
      await bootAgent(conductor, situation)
      await conductor.untilLine('step started', { node: situation.uuid, step: 'write_image' })
      await conductor.untilWaits(situation.uuid, 2)
    },
    afterwards: async (_conductor, { release }) => release(),
    ends: 'active',
    check: (node, { agent }) => {
      isWhole(node)
      assert.deepEqual(agent.given, WHOLE_DEPLOY)
    },
  },
  {
    tells: 'deploying, and has just given the agent its command: the command is awaited, not given again',
    hang_at: 'after write_image',
    reach: bootAgent,
    ends: 'active',
    check: (node, { agent }) => {
      isWhole(node)
      assert.deepEqual(agent.given, WHOLE_DEPLOY)
    },
  },
  {
    tells: 'deploying, in a step that cannot be run again: the deploy has failed with the reason',
    hang_at: 'after only_once',
    reach: bootAgent,
    ends: 'deploy failed',
    check: ({ last_error }) =>
      assert.equal(
        last_error,
        'Deploy step deploy.only_once failed: the appliance was restarted while it ran. Deploy again.',
      ),
  },
  {
    tells: 'deploying, after the image was written: the deploy goes on from there',
    hang_at: 'after prepare_instance_boot',
    reach: bootAgent,
    ends: 'active',
    check: wroteOnce,
  },
  {
    tells: 'deploying, and its agent is being torn down: the deploy goes on from there',
    hang_at: 'power off in deploying tear_down_agent',
    reach: bootAgent,
    ends: 'active',
    check: wroteOnce,
  },
  {
    tells: 'deploying, and its operating system is being started: the deploy goes on from there',
    hang_at: 'power on in deploying boot_instance',
    reach: bootAgent,
    ends: 'active',
    check: wroteOnce,
  },
  {
    tells: 'deleting: the tear down goes on',
    from: 'active',
    target: 'deleted',
    hang_at: 'power off in deleting',
    ends: 'available',
    check: ({ power_state, instance_info }) => assert.deepEqual([power_state, instance_info], ['power off', {}]),
  },
  {
    tells: 'verifying: its BMC is asked again',
    from: 'enroll',
    target: 'manage',
    hang_at: 'read in verifying',
    ends: 'manageable',
  },
  {
    tells: 'deploy failed, and its machine is not off yet: the machine is switched off',
    hang_at: 'power off in deploy failed',
    async reach(conductor, { uuid }) {
      await conductor.untilState(uuid, 'wait call-back')
      await conductor.ask('provision', uuid, 'abort')
    },
    afterwards: (conductor, { uuid }) => conductor.untilLine('power changed', { node: uuid, power_state: 'power off' }),
    ends: 'deploy failed',
    check: ({ power_state }) => assert.equal(power_state, 'power off'),
  },
  {
    ...PROVIDED,
    tells: 'cleaning, and its machine is being switched on: the cleaning begins anew',
    hang_at: 'power on in cleaning',
    afterwards: bootCleaner,
  },
  {
    ...PROVIDED,
    tells: 'in clean wait for its agent: the agent that calls afterwards is taken',
    reach: (conductor, { uuid }) => conductor.untilState(uuid, 'clean wait'),
    afterwards: (conductor, { agent }) => agent.boot(conductor),
  },
  {
    ...PROVIDED,
    tells: 'cleaning, and its agent is just telling its steps: it is asked again, without another heartbeat',
    thinksOn: true,
    async reach(conductor, situation) {
      await bootCleaner(conductor, situation)
      await situation.agent.untilGiven('get_clean_steps')
    },
    afterwards: async (_conductor, { release }) => release(),
    check: (node, { agent }) => {
      assert.deepEqual([node.power_state, node.last_error], ['power off', null])
      assert.equal(agent.given.filter((name) => name === 'erase_devices_metadata').length, 1)
    },
  },
  {
    ...PROVIDED,
    tells: 'in clean wait while the agent erases: the end of that is seen without a heartbeat',
    writesOn: true,
    async reach(conductor, situation) {
      await bootCleaner(conductor, situation)
      await conductor.untilLine('step started', { node: situation.uuid, step: 'erase_devices_metadata' })
      await conductor.untilWaits(situation.uuid, 2)
    },
    afterwards: async (_conductor, { release }) => release(),
  },
  {
    ...PROVIDED,
    tells: 'cleaning, and its machine is being switched off: nothing is erased again',
    hang_at: 'power off in cleaning',
    reach: bootCleaner,
  },
  {
    tells: 'clean failed, and its machine is not off yet: the machine is switched off',
    from: 'manageable',
    target: 'provide',
    hang_at: 'power off in clean failed',
    async reach(conductor, { uuid }) {
      await conductor.untilState(uuid, 'clean wait')
      await conductor.ask('provision', uuid, 'abort')
    },
    afterwards: (conductor, { uuid }) => conductor.untilLine('power changed', { node: uuid, power_state: 'power off' }),
    ends: 'clean failed',
    check: ({ power_state }) => assert.equal(power_state, 'power off'),
  },
]

async function reach(conductor: ConductorProcess, scenario: Scenario, index: number): Promise<Situation> {
  const { from = 'available', target = 'active', hang_at = '' } = scenario
  const mac = `52:54:00:00:00:${index.toString(16).padStart(2, '0')}`
  const { promise: written, resolve: release } = Promise.withResolvers<void>()
  const agent = new FakeAgent({
    mac,
    services: [offer('flash', 0)],
    ...(scenario.writesOn ? { onStep: () => written } : {}),
    ...(scenario.thinksOn ? { onList: () => written } : {}),
  })
  const uuid = await conductor.ask<string>('create', from, mac, hang_at)
  const situation = { uuid, mac, agent, release }
  await conductor.ask('provision', uuid, target, scenario.more)
  await scenario.reach?.(conductor, situation)
  if (hang_at !== '') await conductor.untilLine('hangs', { node: uuid })
  return situation
}

describe('appliance killed while a node is', () => {
  const state_path = mkdtempSync(join(tmpdir(), 'rackstrap-killed-'))
  let situations: Situation[] = []
  let conductor: ConductorProcess

  before(async () => {
    conductor = await ConductorProcess.start(state_path, 'hangs')
    situations = await Promise.all(SCENARIOS.map((scenario, index) => reach(conductor, scenario, index)))
    await conductor.kill()
    conductor = await ConductorProcess.start(state_path, 'runs')
  })
  after(async () => {
    await conductor.kill()
    await Promise.all(situations.map(({ agent }) => agent.close()))
    rmSync(state_path, { recursive: true, force: true })
  })

  for (const [index, scenario] of SCENARIOS.entries()) {
    it(scenario.tells, async () => {
      const situation = situations[index]
      assert.ok(situation)

      await scenario.afterwards?.(conductor, situation)

      const node = await conductor.untilNode(situation.uuid, scenario.ends)
      scenario.check?.(node, situation)
    })
  }
})
