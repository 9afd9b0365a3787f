/** Ends the ramdisk after a deploy: by the shutdown playbook, and when that does not help by the BMC. */
import type { AnsibleTask } from './node-fields.ts'
import { runPlaybook } from './run-playbook.ts'
import { nodeVariables } from './variables.ts'

/** @source Ironic ansible/deploy.py tear_down_agent: the deploy playbook has flushed the disks */
export async function tearDown(task: AnsibleTask): Promise<void> {
  // It could not be switched on again: the last step reboots it.
  if (task.power.staysOn) return
  // A step that was cut off by a restart may have switched it off already.
  if ((await task.power.state()) === 'power off') return task.power.off()
  if (!(task.readBoolean(task.node.driver_info.deploy_forces_oob_reboot) ?? false)) {
    try {
      await runPlaybook(task, { action: 'shutdown', variables: nodeVariables(task) })
      await untilOff(task)
    } catch (error) {
      task.signal.throwIfAborted()
      task.log.warn('machine did not shut down by itself', { reason: (error as Error).message })
    }
  }
  // Off already or not: the agent is forgotten with it.
  await task.power.off()
}

async function untilOff({ options, power, signal, progress }: AnsibleTask): Promise<void> {
  for (let left = options.post_deploy_get_power_state_retries; ; left--) {
    if ((await power.state()) === 'power off' || left === 0) return
    progress({ note: 'waiting for the machine to switch itself off' })
    await pause(options.post_deploy_get_power_state_retry_interval, signal)
  }
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      if (signal.aborted) reject(signal.reason)
      else resolve()
    }
    const timer = setTimeout(end, seconds * 1000)
    signal.addEventListener('abort', end)
  })
}
