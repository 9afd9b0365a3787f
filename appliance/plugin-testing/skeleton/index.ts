/** Writes the node's image, and has the machine say hello before it starts. */
import type { DeployPlugin } from '@appliance/core/plugin-api'

const OPTIONS = {
  hello_text: {
    section: 'hello',
    type: 'string',
    default: 'hello',
    perNode: ['instance_info'],
    help: 'What a machine says.',
  },
} as const

export default {
  apiVersion: '1',
  name: 'hello',
  usesAgent: true,
  ramdiskLayers: ['hello'],
  options: OPTIONS,
  properties: { hello_volume: 'How loud the machine speaks, 1 to 11. Optional.' },

  async validate(task) {
    task.images.validate()
    const { uuid, driver_info } = task.node
    const { hello_volume = 1 } = driver_info
    if (typeof hello_volume === 'number' && hello_volume >= 1 && hello_volume <= 11) return
    const found = JSON.stringify(hello_volume)
    throw task.failure(`driver_info/hello_volume of node ${uuid} is ${found}: expected a number from 1 to 11.`)
  },

  async prepare(task) {
    task.images.prefetch()
  },

  deploySteps: (kit) => [
    ...kit.agentFlow(),
    {
      step: 'write_image',
      priority: 80,
      again: true,
      async run(task) {
        const image_info = kit.imageInfo(await task.images.resolve(), { id: 'hello', node_uuid: task.node.uuid })
        return task.agent.execute({ interface: 'deploy', step: 'write_image', args: { image_info } })
      },
    },
    {
      step: 'say_hello',
      priority: 70,
      async run(task) {
        const args = { text: task.options.hello_text, volume: task.node.driver_info.hello_volume ?? 1 }
        await task.keep({ said: args.text })
        return task.agent.execute({ interface: 'deploy', step: 'say_hello', args })
      },
      async resume(task, sign) {
        if (sign.from !== 'agent' || sign.command?.status === 'RUNNING') return { wait: 'agent-command' }
        if (sign.command?.status === 'SUCCEEDED') return { done: true }
        throw task.failure(`The machine could not say ${task.kept.said}: ${sign.command?.error ?? 'no reason given'}`)
      },
    },
  ],
} satisfies DeployPlugin<typeof OPTIONS>
