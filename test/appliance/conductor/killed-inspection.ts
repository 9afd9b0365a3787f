/** Where an inspection is when the conductor is killed, and what comes of it. */
import assert from 'node:assert/strict'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import type { Scenario, Situation } from './killed-life.ts'
import type { ConductorProcess } from './killed-process.ts'

const report = (conductor: ConductorProcess, { mac }: Situation) =>
  conductor.ask('continueInspection', {
    inventory: {
      interfaces: [{ name: 'eth0', mac_address: mac }],
      cpu: { architecture: 'x86_64' },
      boot: { pxe_interface: mac },
    },
    plugin_data: { error: null },
  })
const waitAndReport = async (conductor: ConductorProcess, situation: Situation) => {
  await conductor.untilState(situation.uuid, 'inspect wait')
  await report(conductor, situation)
}
const isInspected = ({ power_state, last_error, properties, inspection_finished_at }: Node) =>
  assert.deepEqual(
    [power_state, last_error, properties.cpu_arch, inspection_finished_at !== null],
    ['power off', null, 'x86_64', true],
  )
const INSPECTED = { from: 'manageable', target: 'inspect', ends: 'manageable', check: isInspected } as const

export const INSPECTIONS: readonly Scenario[] = [
  {
    ...INSPECTED,
    tells: 'inspecting, and its machine is being switched on: the inspection begins anew',
    hang_at: 'power on in inspecting',
    afterwards: waitAndReport,
  },
  {
    ...INSPECTED,
    tells: 'in inspect wait for the report: the one that comes afterwards is taken',
    reach: (conductor, { uuid }) => conductor.untilState(uuid, 'inspect wait'),
    afterwards: report,
  },
  {
    ...INSPECTED,
    tells: 'inspecting, with what its agent has reported, and its machine is being switched off: it goes on from there',
    hang_at: 'power off in inspecting',
    reach: waitAndReport,
  },
  {
    tells: 'inspect failed, and its machine is not off yet: the machine is switched off',
    from: 'manageable',
    target: 'inspect',
    hang_at: 'power off in inspect failed',
    async reach(conductor, { uuid }) {
      await conductor.untilState(uuid, 'inspect wait')
      await conductor.ask('provision', uuid, 'abort')
    },
    afterwards: (conductor, { uuid }) => conductor.untilLine('power changed', { node: uuid, power_state: 'power off' }),
    ends: 'inspect failed',
    check: ({ power_state, last_error }) =>
      assert.deepEqual([power_state, last_error], ['power off', 'Inspection was aborted by request.']),
  },
]
