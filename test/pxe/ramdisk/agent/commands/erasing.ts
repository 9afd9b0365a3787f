/** An agent that erases the disks of a machine on paper. */
import { stepCommands } from '../../../../../pxe/ramdisk/agent/commands/steps.ts'
import { parseKernelParameters } from '../../../../../pxe/ramdisk/agent/kernel-parameters.ts'
import { createPrograms } from '../../../../../pxe/ramdisk/agent/programs.ts'
import type { Progress } from '../../../../../pxe/ramdisk/agent/protocol/commands.ts'
import { createScreen } from '../../../../../pxe/ramdisk/agent/screen.ts'
import type { FakeMachine } from '../fake-machine.ts'

/** @returns what it told meanwhile */
export async function erase(
  machine: FakeMachine,
  step: string,
  properties: object = {},
  driver_internal_info: object = {},
): Promise<Progress[]> {
  const agent = {
    root: machine.root,
    options: parseKernelParameters('ipa-disk-wait-attempts=1', () => {}),
    programs: createPrograms(machine.root),
    screen: createScreen(machine.root),
    node: {},
    md5_enabled: true,
    root_uuid: undefined,
    lockDown() {},
  }
  const told: Progress[] = []
  const given = { node: { uuid: '5f2c', properties, driver_internal_info }, step: { interface: 'deploy', step } }
  await stepCommands(agent, 'clean').execute_clean_step?.run(given, {
    progress: (progress) => void told.push(progress),
  })
  return told
}
