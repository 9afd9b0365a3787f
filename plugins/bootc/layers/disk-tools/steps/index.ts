/** The deploy steps of the layer disk-tools: what a disk still needs once an operating system is on it. */
import type { Steps } from '@appliance/pxe/agent-api'
import { finishArguments, finishDisk } from './finish.ts'
import { makeUnbootable } from './unbootable.ts'

export const steps: Steps = {
  bootc_finish: {
    priority: 0,
    async run(agent, args, context) {
      const wanted = finishArguments(args)
      const disk = await agent.rootDevice()
      return finishDisk({ agent, disk, context }, wanted).catch(async (error: unknown) => {
        await makeUnbootable(agent, disk)
        throw error
      })
    },
  },
}
