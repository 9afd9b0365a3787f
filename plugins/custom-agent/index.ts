/**
 * The deploy interface `custom-agent`: boots the agent, leaves all writing to the agent's own steps, and starts the
 * machine from its disk. Knows no image. @source Ironic drivers/modules/agent.py CustomAgentDeploy
 */
import type { DeployPlugin, InBandStep, Step, Task } from '@appliance/core/plugin-api'

type CustomAgentTask = Pick<Task<typeof OPTIONS>, 'node' | 'agent' | 'plan' | 'failure'>

const OPTIONS = {} as const
/** Between the agent's boot and the boot loader. @source Ironic doc/source/admin/interfaces/deploy.rst */
const WRITING = { min: 61, max: 99 }

const keyOf = ({ interface: name, step }: InBandStep) => `${name}.${step}`

/** What the machine would boot afterwards is what was on its disk before. */
function checkSomebodyWrites({ node, agent, plan, failure }: CustomAgentTask): void {
  const offered = agent.steps()
  const names = new Set(offered.map(keyOf))
  const writes = (step: InBandStep) =>
    names.has(keyOf(step)) && step.priority >= WRITING.min && step.priority <= WRITING.max
  if (plan().some(writes)) return
  const found = offered.map((step) => `${keyOf(step)} (${step.priority})`).join(', ') || 'none'
  throw failure(
    `The agent of node ${node.uuid} has no step that writes to the disk: expected one with a priority from ${WRITING.min} to ${WRITING.max}, ` +
      `by itself or in deploy_steps; it offers ${found}. Boot a ramdisk that brings such a step: a hardware manager of ` +
      'ironic-python-agent ([pxe] ramdisk_path), or a layer of this ramdisk.',
  )
}

/** The agent has booted, and its steps are planned. */
const thenChecked = (step: Step<typeof OPTIONS>): Step<typeof OPTIONS> => ({
  ...step,
  async resume(task) {
    checkSomebodyWrites(task)
    return { done: true }
  },
})

export default {
  apiVersion: '1',
  name: 'custom-agent',
  usesAgent: true,
  options: OPTIONS,
  async validate(task) {
    task.disk.validate()
  },
  deploySteps: (kit) => kit.agentFlow().map((step) => (step.step === 'deploy' ? thenChecked(step) : step)),
} satisfies DeployPlugin<typeof OPTIONS>
