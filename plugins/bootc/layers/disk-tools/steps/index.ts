/** The deploy steps of the layer disk-tools: what a disk still needs once an operating system is on it. */
import type { Steps } from '@appliance/pxe/agent-api'
import { finishArguments, finishDisk } from './finish.ts'

export const steps: Steps = {
  bootc_finish: {
    priority: 0,
    async run(agent, args, context) {
      const wanted = finishArguments(args)
      return finishDisk({ agent, disk: await agent.rootDevice(), context }, wanted)
    },
  },
}
