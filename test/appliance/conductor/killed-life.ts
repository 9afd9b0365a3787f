/** Where kill.e2e.test.ts kills the appliance in the life of a machine that is deployed: service, rescue, adoption. */
import assert from 'node:assert/strict'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import type { FakeAgent } from './fake-agent.ts'
import type { ConductorProcess } from './killed-process.ts'

export type Situation = { uuid: string; mac: string; agent: FakeAgent; release: () => void }
export type Scenario = {
  /** Where the node is when the appliance is killed, and what comes of it. */
  tells: string
  from?: Node['provision_state']
  target?: string
  /** Of the request, beside its target. */
  more?: object
  /** The place where its work hangs; left out: it is killed when `reach` is through. */
  hang_at?: string
  /** The agent writes, or thinks about what steps it has, until it is released. */
  writesOn?: boolean
  thinksOn?: boolean
  reach?(conductor: ConductorProcess, situation: Situation): Promise<unknown>
  /** What happens to it after the new start. */
  afterwards?(conductor: ConductorProcess, situation: Situation): Promise<unknown>
  ends: Node['provision_state']
  check?(node: Node, situation: Situation): void
}

const bootAt =
  (state: string) =>
  async (conductor: ConductorProcess, { uuid, agent }: Situation) => {
    await conductor.untilState(uuid, state)
    await agent.boot(conductor)
  }
const runs = (node: Node) => assert.deepEqual([node.power_state, node.last_error], ['power on', null])
const SERVICE = {
  from: 'active',
  target: 'service',
  more: { service_steps: [{ interface: 'deploy', step: 'flash' }] },
  ends: 'active',
} as const
const servedOnce = (node: Node, { agent }: Situation) => {
  runs(node)
  assert.deepEqual(node.service_step, {})
  assert.deepEqual(agent.given, ['get_service_steps', 'flash'])
}
const RESCUE = {
  from: 'active',
  target: 'rescue',
  more: { rescue_password: 'mellon' },
  ends: 'rescue',
  check: (node: Node, { agent }: Situation) => {
    runs(node)
    assert.deepEqual([agent.given, node.instance_info.hashed_rescue_password], [['finalize_rescue'], undefined])
  },
} as const

export const LIFE: readonly Scenario[] = [
  {
    ...SERVICE,
    tells: 'servicing, and its machine is being switched on: the service begins anew',
    hang_at: 'power on in servicing',
    afterwards: bootAt('service wait'),
    check: servedOnce,
  },
  {
    ...SERVICE,
    tells: 'in service wait for its agent: the agent that calls afterwards is taken',
    reach: (conductor, { uuid }) => conductor.untilState(uuid, 'service wait'),
    afterwards: (conductor, { agent }) => agent.boot(conductor),
    check: servedOnce,
  },
  {
    ...SERVICE,
    tells: 'in service wait while the agent works: the end of that is seen without a heartbeat',
    writesOn: true,
    async reach(conductor, situation) {
      await bootAt('service wait')(conductor, situation)
      await situation.agent.untilGiven('flash')
      await conductor.untilWaits(situation.uuid, 2)
    },
    afterwards: async (_conductor, { release }) => release(),
    check: servedOnce,
  },
  {
    ...SERVICE,
    tells: 'servicing, and its machine goes back to its instance: nothing is done again',
    hang_at: 'power off in servicing service',
    reach: bootAt('service wait'),
    check: servedOnce,
  },
  {
    ...SERVICE,
    tells: 'in service hold: it stays held, and goes on when it is let go',
    more: { service_steps: [{ interface: 'deploy', step: 'hold' }] },
    reach: (conductor, { uuid }) => conductor.untilState(uuid, 'service hold'),
    async afterwards(conductor, { uuid }) {
      assert.equal((await conductor.node(uuid)).provision_state, 'service hold')
      await conductor.ask('provision', uuid, 'unhold')
      await conductor.untilState(uuid, 'active')
    },
    check: runs,
  },
  {
    ...SERVICE,
    tells: 'active after the abort of a service, and its machine is not back yet: its instance is started',
    hang_at: 'power off in active',
    async reach(conductor, { uuid }) {
      await conductor.untilState(uuid, 'service wait')
      await conductor.ask('provision', uuid, 'abort')
    },
    afterwards: (conductor, { uuid }) => conductor.untilLine('power changed', { node: uuid, power_state: 'power on' }),
    check: ({ power_state, last_error }) => {
      assert.equal(power_state, 'power on')
      assert.match(String(last_error), /^By request, the service operation was aborted/)
    },
  },
  {
    ...RESCUE,
    tells: 'rescuing, and its machine is being switched on: the rescue begins anew',
    hang_at: 'power on in rescuing',
    afterwards: bootAt('rescue wait'),
  },
  {
    ...RESCUE,
    tells: 'in rescue wait: the agent that calls afterwards gets the password',
    reach: (conductor, { uuid }) => conductor.untilState(uuid, 'rescue wait'),
    afterwards: (conductor, { agent }) => agent.boot(conductor),
  },
  {
    ...RESCUE,
    tells: 'rescue failed, and its machine is not off yet: the machine is switched off',
    hang_at: 'power off in rescue failed',
    async reach(conductor, { uuid }) {
      await conductor.untilState(uuid, 'rescue wait')
      await conductor.ask('provision', uuid, 'abort')
    },
    afterwards: (conductor, { uuid }) => conductor.untilLine('power changed', { node: uuid, power_state: 'power off' }),
    ends: 'rescue failed',
    check: ({ power_state, instance_info }) =>
      assert.deepEqual([power_state, instance_info.hashed_rescue_password], ['power off', undefined]),
  },
  {
    tells: 'unrescuing: its instance is started',
    from: 'rescue',
    target: 'unrescue',
    hang_at: 'power on in unrescuing',
    ends: 'active',
    check: runs,
  },
  {
    tells: 'adopting: it is adopted',
    from: 'manageable',
    target: 'adopt',
    hang_at: 'adopt',
    ends: 'active',
  },
]
