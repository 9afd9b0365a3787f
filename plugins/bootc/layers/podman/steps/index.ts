/** The deploy steps of the layer podman. It needs the layer disk-tools beside it. */
import type { Steps } from '@appliance/pxe/agent-api'
import { installArguments } from './arguments.ts'
import { install } from './install.ts'

export const steps: Steps = {
  bootc_install: { priority: 0, run: (agent, args, context) => install(agent, installArguments(args), context) },
}
