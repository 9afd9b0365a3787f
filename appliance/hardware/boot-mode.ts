/** Which firmware interface a machine boots with, read from its record. Never asks the machine. */

import { hasMembers } from '@appliance/ground/exact-number'
import { InvalidParameterValue } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Node } from '../records/kinds/node.ts'

export type BootMode = 'bios' | 'uefi'
type BootModeNode = Pick<Node, 'uuid' | 'instance_info' | 'properties' | 'driver_internal_info'>

/**
 * Ironic's order: secure boot asked for; instance_info.capabilities; instance_info.deploy_boot_mode;
 * properties.capabilities; driver_internal_info.deploy_boot_mode; the default.
 * @throws InvalidParameterValue  not a boot mode, or an instance that asks for another than the node's properties allow
 * @source Ironic drivers/modules/boot_mode_utils.py
 */
export function bootModeOf(node: BootModeNode, default_boot_mode: BootMode): BootMode {
  const instance = capabilitiesOf(node, 'instance_info', node.instance_info.capabilities)
  if (instance.secure_boot?.toLowerCase() === 'true') return 'uefi'
  const allowed = capabilitiesOf(node, 'properties', node.properties.capabilities).boot_mode?.toLowerCase()
  const asked =
    instance.boot_mode ?? node.instance_info.deploy_boot_mode ?? allowed ?? node.driver_internal_info.deploy_boot_mode
  const mode = String(asked ?? default_boot_mode).toLowerCase()
  if (allowed !== undefined && allowed !== mode) {
    throw new InvalidParameterValue(
      `Node ${node.uuid} boot mode ${mode} violates node properties/capabilities ${allowed}`,
    )
  }
  if (mode !== 'bios' && mode !== 'uefi') {
    throw new InvalidParameterValue(`Boot mode of node ${node.uuid} is "${mode}": expected bios or uefi.`)
  }
  return mode
}

/** Both forms are in use: 'boot_mode:uefi,cpus:4' and {"boot_mode": "uefi"}, the latter also as JSON text. */
function capabilitiesOf(node: Pick<Node, 'uuid'>, field: string, value: unknown): Record<string, string> {
  if (value === undefined || value === null || value === '') return {}
  if (hasMembers(value)) return stringValues(value)
  const text = String(value)
  if (text.trimStart().startsWith('{')) {
    try {
      return stringValues(JSON.parse(text))
    } catch (cause) {
      throw new InvalidParameterValue(`${field}/capabilities of node ${node.uuid} is no JSON object.`, { cause })
    }
  }
  // The first of a key counts. @source Ironic drivers/utils.py get_node_capability
  return Object.fromEntries(
    partsOf(text)
      .flatMap(({ pair }) => (pair ? [pair] : []))
      .toReversed(),
  )
}

/** Of parts of properties/capabilities that are no key:value: they are left out, as in Ironic. */
export function warnOfCapabilities({ properties: { capabilities } }: BootModeNode, log: Pick<Log, 'warn'>): void {
  if (typeof capabilities !== 'string' || capabilities === '' || capabilities.trimStart().startsWith('{')) return
  const malformed = partsOf(capabilities).flatMap(({ part, pair }) => (pair ? [] : [part]))
  if (malformed.length > 0) log.warn('capabilities that are no key:value are left out', { malformed })
}

function partsOf(text: string): { part: string; pair: readonly [string, string] | undefined }[] {
  return text.split(',').map((part) => {
    const [key = '', value = '', ...more] = part.split(':').map((word) => word.trim())
    return { part, pair: key === '' || value === '' || more.length > 0 ? undefined : [key, value] }
  })
}

function stringValues(value: object): Record<string, string> {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]))
}
