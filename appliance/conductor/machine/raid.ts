/** RAID: the configuration that is wanted, checked, and what a machine has, written to its record. */
import { InvalidParameterValue, NotFound, UnsupportedDriverExtension } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { RaidConfig } from '../../plugin-api/interfaces.ts'
import type { Node } from '../../records/kinds/node.ts'
import { interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import type { Parts } from '../parts/parts.ts'
import type { PowerParts } from '../power/power.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { callInterface } from './call-interface.ts'

export type Raid = {
  /** @param wanted  by Ironic's schema; {} takes it away. @throws NotFound (no RAID), InvalidParameterValue */
  setTarget(uuid: string, wanted: RaidConfig | Record<string, never>): Promise<void>
  /** Of a logical disk, by the driver's default implementation. @throws NotFound  no such driver */
  logicalDiskProperties(driver: string): Readonly<Record<string, string>>
}
type RaidParts = PowerParts & Pick<Parts, 'background' | 'reservations'>

export function createRaid(parts: RaidParts): Raid {
  return {
    async setTarget(uuid, wanted) {
      const release = await parts.reservations.take(uuid)
      try {
        if (Object.keys(wanted).length > 0) await check(parts, parts.store.nodes.find(uuid), wanted as RaidConfig)
        await parts.store.nodes.update(uuid, { target_raid_config: wanted })
      } finally {
        await release()
      }
    },
    logicalDiskProperties(driver) {
      const [name = ''] = parts.hardware.allowed.get(driver)?.raid ?? []
      return parts.hardware.find('raid', name)?.logicalDiskProperties ?? {}
    },
  }
}

/**
 * That there is no RAID is 404, as of a path that is not there.
 * @source Ironic NodeStatesController.raid
 */
async function check(parts: RaidParts, node: Node, wanted: RaidConfig): Promise<void> {
  rootVolumeOf(wanted)
  try {
    await callInterface(parts, { node, type: 'raid' }, async (raid, task) => {
      await raid.validate(task)
      await raid.validateConfiguration?.(task, wanted)
    })
  } catch (error) {
    if (error instanceof UnsupportedDriverExtension) throw new NotFound(error.message, { cause: error })
    throw error
  }
}

/** @throws InvalidParameterValue  there is more than one */
function rootVolumeOf({ logical_disks }: RaidConfig): Json | undefined {
  const roots = logical_disks.filter((disk) => disk.is_root_volume)
  if (roots.length > 1) {
    throw new InvalidParameterValue(
      `Raid config cannot have more than one root volume. ${roots.length} root volumes were specified`,
    )
  }
  return roots[0]
}

/**
 * After a step of the raid interface: raid_config is what is there, and the root volume what the next deploy writes to.
 * @source Ironic common/raid.py update_raid_info
 */
export async function keepRaidConfig(parts: PowerParts, node: NodeHandle, signal: AbortSignal): Promise<void> {
  const raid = interfaceOf(parts, node.record, 'raid')
  if (!raid.getConfiguration) return
  const found = await raid.getConfiguration(interfaceTask(parts, node.record, 'raid', signal))
  const root = rootVolumeOf(found)
  const { size_gb, root_device_hint } = root ?? {}
  const last_updated = new Date().toISOString().replace('T', ' ').replace('Z', '')
  await node.update(({ properties }) => ({
    raid_config: { ...found, last_updated },
    properties: {
      ...properties,
      ...(Number.isInteger(Number(size_gb)) && { local_gb: Number(size_gb) }),
      ...(root_device_hint === undefined ? {} : { root_device: root_device_hint }),
      ...(root && { capabilities: withRaidLevel(properties.capabilities, root.raid_level) }),
    },
  }))
}

/** @param capabilities  `key:value,key:value`; another form is left as it is */
function withRaidLevel(capabilities: unknown, level: unknown): unknown {
  if (capabilities !== undefined && typeof capabilities !== 'string') return capabilities
  const others = (capabilities ?? '').split(',').filter((pair) => pair !== '' && !pair.startsWith('raid_level:'))
  return [...others, `raid_level:${level}`].join(',')
}
