/** A machine is rescued in the deploy ramdisk: its agent lets somebody in by the password, and stays away then. */
import type { RescueInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/agent.py AgentRescue; agent_client.finalize_rescue */
export const agentRescue: RescueInterface = {
  name: 'agent',
  bootsAgent: true,
  validate() {},
  async rescue(task) {
    await task.boot.agent()
    return { wait: 'agent-boot', note: 'waiting for the agent' }
  },
  async resume(task) {
    const { hashed_rescue_password: rescue_password } = task.node.instance_info
    if (typeof rescue_password !== 'string') {
      throw task.failure('The password is not in the record any more: somebody changed instance_info. Rescue again.')
    }
    await task.agent.run('rescue.finalize_rescue', { rescue_password, hashed: true }, { wait: true })
    return { done: true }
  },
  unrescue: (task) => task.bootInstance(),
}
