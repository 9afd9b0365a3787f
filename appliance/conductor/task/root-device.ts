/**
 * Which disks an operating system goes to, and which nobody touches: whether an agent will understand what a node's
 * record says of it.
 */
import { isDeepStrictEqual } from 'node:util'
import { problemOfRootDeviceHints, problemOfSkipBlockDevices } from '@appliance/pxe'
import { InvalidParameterValue } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'

type Hinted = Pick<Node, 'properties' | 'instance_info'>

/** The agent would say so too, but only when the machine has started. @throws InvalidParameterValue */
export function checkRootDevice({ uuid, properties, instance_info }: Hinted & Pick<Node, 'uuid'>): void {
  const hints = problemOfRootDeviceHints(instance_info.root_device ?? properties.root_device)
  if (hints !== undefined) {
    throw new InvalidParameterValue(`Failed to validate the root device hints for node ${uuid}. Error: ${hints}`)
  }
  const skip = problemOfSkipBlockDevices(properties.skip_block_devices)
  if (skip !== undefined) {
    throw new InvalidParameterValue(`Failed to validate the disks to skip of node ${uuid}. Error: ${skip}`)
  }
}

const FIELDS = [
  ['properties', 'root_device', problemOfRootDeviceHints],
  ['properties', 'skip_block_devices', problemOfSkipBlockDevices],
  ['instance_info', 'root_device', problemOfRootDeviceHints],
] as const

/**
 * Of a record that somebody sets.
 * @param before  what stands there already is passed over: it does not hinder a change of something else
 * @throws InvalidParameterValue
 */
export function checkDisksSet(change: Partial<Hinted>, before?: Hinted): void {
  for (const [field, name, problemOf] of FIELDS) {
    const value = change[field]?.[name]
    if (before && isDeepStrictEqual(value, before[field][name])) continue
    const problem = problemOf(value)
    if (problem !== undefined) throw new InvalidParameterValue(`${field}/${name} cannot be read: ${problem}`)
  }
}
