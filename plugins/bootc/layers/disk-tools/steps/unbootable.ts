/** Takes what could boot off a disk: nothing half-installed, or without what is to come with it, may start. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { StepAgent, StepDisk } from '@appliance/pxe/agent-api'

const MIB = 1024 * 1024

/** After a failure, which is what the operator is to read: this one is only shown. */
export async function makeUnbootable(agent: StepAgent, disk: StepDisk): Promise<void> {
  try {
    await eraseTables(agent, disk)
    agent.screen.say(`${disk.name} has no partition table now, so that nothing half-installed boots from it.`)
  } catch (error) {
    // Why the install failed is what matters; a disk that takes nothing is a part of it.
    agent.screen.say(`${disk.name} may hold a part of an install: ${(error as Error).message}`)
  }
}

/** Both copies of the partition table, and what BIOS would start. */
export async function eraseTables(agent: StepAgent, disk: StepDisk): Promise<void> {
  await using file = await open(join(agent.root, disk.name), 'r+')
  const nothing = Buffer.alloc(MIB)
  for (const at of [0, disk.size_bytes - MIB]) await file.write(nothing, 0, MIB, at)
  await file.sync()
  await agent.rereadPartitions(disk).catch((error: Error) => agent.screen.note(error.message))
}
