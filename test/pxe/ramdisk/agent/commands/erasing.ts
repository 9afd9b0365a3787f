/** An agent that erases the disks of a machine on paper. */
import { stepCommands } from '../../../../../pxe/ramdisk/agent/commands/steps.ts'
import type { Progress } from '../../../../../pxe/ramdisk/agent/protocol/commands.ts'
import { agentOn } from '../agent-context.ts'
import type { FakeMachine } from '../fake-machine.ts'

/** @returns what it told meanwhile */
export async function erase(
  machine: FakeMachine,
  step: string,
  properties: object = {},
  driver_internal_info: object = {},
): Promise<Progress[]> {
  const told: Progress[] = []
  const given = { node: { uuid: '5f2c', properties, driver_internal_info }, step: { interface: 'deploy', step } }
  await stepCommands(agentOn(machine), 'clean').execute_clean_step?.run(given, {
    progress: (progress) => void told.push(progress),
  })
  return told
}
