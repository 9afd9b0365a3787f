/** What the commands of an agent on a fake machine may touch. */
import type { AgentContext } from '../../../../pxe/ramdisk/agent/commands/context.ts'
import { parseKernelParameters } from '../../../../pxe/ramdisk/agent/kernel-parameters.ts'
import { createPrograms } from '../../../../pxe/ramdisk/agent/programs.ts'
import { createScreen } from '../../../../pxe/ramdisk/agent/screen.ts'
import type { FakeMachine } from './fake-machine.ts'

/** @param parameters  of the kernel; left out: it does not wait for disks */
export const agentOn = ({ root }: FakeMachine, parameters = 'ipa-disk-wait-attempts=1'): AgentContext => ({
  root,
  options: parseKernelParameters(parameters, () => {}),
  programs: createPrograms(root),
  screen: createScreen(root),
  node: {},
  md5_enabled: true,
  root_uuid: undefined,
  lockDown() {},
  handOver() {},
})
