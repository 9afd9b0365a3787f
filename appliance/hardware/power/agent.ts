/**
 * Power of a machine without a BMC: its agent reboots it and switches it off, and a person switches it on.
 * The state is an assumption: on while the agent calls, else what the record says.
 */
import type { InterfaceTask, PowerInterface, PowerTarget } from '../../plugin-api/interfaces.ts'

/** Ironic's own interface only reboots; our procedures end with a machine that is off, too. */
const COMMANDS: Readonly<Partial<Record<PowerTarget, string>>> = {
  rebooting: 'standby.run_image',
  'soft rebooting': 'standby.run_image',
  'power off': 'standby.power_off',
  'soft power off': 'standby.power_off',
}

/** @source Ironic drivers/modules/agent_power.py */
export const agentPower: PowerInterface = {
  name: 'agent',
  supportedPowerStates: ['power off', 'rebooting', 'soft power off', 'soft rebooting'],
  supportsPowerSync: false,
  validate() {},
  getPowerState: async ({ agent, node }) => (agent.isAlive ? 'power on' : node.power_state),
  async setPowerState(task, target) {
    const command = COMMANDS[target]
    if (command === undefined) throw byHand(task, target)
    if (!task.agent.isAlive) throw noAgent(task, target)
    await task.agent.run(command, {})
  },
}

const byHand = ({ node, failure }: InterfaceTask, target: PowerTarget) =>
  failure(
    `Node ${node.uuid} has no BMC (power interface agent), so that "${target}" is not to be had: press its button.`,
  )
const noAgent = ({ node, failure }: InterfaceTask, target: PowerTarget) =>
  failure(
    `Node ${node.uuid} has no BMC (power interface agent), and no agent calls from it that could do "${target}": do it by hand.`,
  )
