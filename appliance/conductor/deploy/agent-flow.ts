/**
 * The core's own deploy steps, with Ironic's names and priorities: they boot the agent, end it, and start the machine
 * from its disk.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { readBoolean } from '@appliance/ground/booleans'
import { AgentFailure, ApplianceError, messageOf } from '../../errors.ts'
import type { Kit, Step, Task } from '../../plugin-api/index.ts'
import type { Parts } from '../parts/parts.ts'
import { keepsPower, type PowerParts, readPowerState, setPower } from '../power/power.ts'
import { handleOf, type NodeHandle } from '../states/node-handle.ts'
import { imageInfo } from '../steps/image-info.ts'
import { whenNotBusy } from '../task/busy.ts'
import { installBootloader } from './boot-loader.ts'

/** An agent that has flushed its disks gets at most so long to switch its machine off. */
const AFTER_FLUSH_MS = 5000
/** A busy agent gets at most so long before its disks count as not flushed. */
const BUSY_LIMIT_MS = 60_000
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 1000

type FlowParts = PowerParts & Pick<Parts, 'config'>

export function createKit(parts: FlowParts): Kit {
  const steps: readonly Step[] = [
    {
      step: 'deploy',
      priority: 100,
      again: true,
      async run(task) {
        await task.boot.agent()
        return { wait: 'agent-boot', note: 'waiting for the agent' }
      },
    },
    {
      step: 'prepare_instance_boot',
      priority: 60,
      again: true,
      async run(task) {
        await installBootloader(parts, task)
        await task.power.bootFrom('disk')
        await task.boot.disk()
        return { done: true }
      },
    },
    {
      step: 'tear_down_agent',
      priority: 40,
      again: true,
      async run(task) {
        await tearDownAgent(parts, task)
        return { done: true }
      },
    },
    // There is one network, and machines stay on it.
    { step: 'switch_to_tenant_network', priority: 30, again: true, run: async () => ({ done: true }) },
    {
      step: 'boot_instance',
      priority: 20,
      again: true,
      async run(task) {
        await task.boot.disk()
        const node = handleOf(parts, task.node.uuid)
        const target = keepsPower(parts, node.record) ? 'rebooting' : 'power on'
        await setPower(parts, node, target, { signal: task.signal })
        return { done: true }
      },
    },
  ]
  return { agentFlow: (o = {}) => steps.filter(({ step }) => !o.without?.includes(step)), imageInfo }
}

/**
 * Flushes the disks, has the agent switch its machine off, and when it does not, the BMC.
 * @source Ironic agent_base.tear_down_agent, driver_info/deploy_forces_oob_reboot
 */
async function tearDownAgent(parts: FlowParts, task: Task): Promise<void> {
  const node = handleOf(parts, task.node.uuid)
  if ((await readPowerState(parts, node, task.signal)) === 'power off') return task.power.off()
  const isFlushed = await tried(task, 'standby.sync', true)
  if (keepsPower(parts, node.record)) return
  const isForced = readBoolean(task.node.driver_info.deploy_forces_oob_reboot) ?? false
  if (!isForced && (await tried(task, 'standby.power_off', false))) await untilOff(parts, node, task, isFlushed)
  await task.power.off()
}

/** @returns false: the agent did not follow, so that the BMC has to do it */
async function tried(task: Task, command: string, wait: boolean): Promise<boolean> {
  try {
    await whenNotBusy(() => task.agent.run(command, {}, { wait }), task.signal, BUSY_LIMIT_MS)
    return true
  } catch (error) {
    if (!(error instanceof AgentFailure)) throw error
    task.log.warn('agent did not follow', { command, reason: messageOf(error) })
    return false
  }
}

async function untilOff(parts: FlowParts, node: NodeHandle, task: Task, isFlushed: boolean): Promise<void> {
  const { post_deploy_get_power_state_retries: retries, post_deploy_get_power_state_retry_interval: interval_s } =
    parts.config.agent
  const longest_ms = retries * interval_s * 1000
  const end_ms = performance.now() + (isFlushed ? Math.min(longest_ms, AFTER_FLUSH_MS) : longest_ms)
  for (
    let pause_ms = FIRST_PAUSE_MS;
    performance.now() < end_ms;
    pause_ms = Math.min(pause_ms * 1.5, LONGEST_PAUSE_MS)
  ) {
    await pause(pause_ms, undefined, { signal: task.signal })
    const state = await readPowerState(parts, node, task.signal).catch((error: unknown) => {
      // The answer only ends the waiting. The power off that follows tells what is wrong with the BMC.
      if (!(error instanceof ApplianceError)) throw error
      return undefined
    })
    if (state === 'power off') return
  }
  task.log.info('agent did not switch its machine off in time: the BMC does', { node: task.node.uuid })
}
