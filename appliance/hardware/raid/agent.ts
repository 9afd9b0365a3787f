/**
 * RAID by the agent on the machine: its own steps create_configuration and delete_configuration, where the agent of the
 * ramdisk has them. Needs nothing of the BMC.
 */
import type { RaidInterface } from '../../plugin-api/interfaces.ts'
import { LOGICAL_DISK_PROPERTIES } from './logical-disk.ts'

/** @source Ironic drivers/modules/agent.py AgentRAID */
export const agentRaid: RaidInterface = {
  name: 'agent',
  validate() {},
  logicalDiskProperties: LOGICAL_DISK_PROPERTIES,
}
