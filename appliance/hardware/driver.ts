/** How a machine's power and boot device are reached: one object a hardware type (ipmi, fake-hardware, ...). */

import type { Json } from '../plugin-api/index.ts'
import type { InterfaceType, Node, PowerState, PowerTarget } from '../records/kinds/node.ts'

export type BootDevice = 'disk' | 'pxe' | 'cdrom' | 'bios' | 'safe'

export type BmcDriver = {
  /** The hardware type, e.g. 'ipmi'. */
  name: string
  /** The interface names this hardware type puts on a node, e.g. {power: 'ipmitool', management: 'ipmitool'}. */
  interfaces: Readonly<Partial<Record<InterfaceType, string>>>
  /** driver_info keys, name to help text; served at /v1/drivers/<driver>/properties. */
  properties: Readonly<Record<string, string>>
  /** @throws MissingParameterValue, InvalidParameterValue  in the operator's words; touches nothing */
  validate(node: Node): void
  /** @throws BmcFailure */
  getPowerState(node: Node, signal: AbortSignal): Promise<PowerState>
  /** Resolves when the machine is in the asked-for state. @throws BmcFailure */
  setPowerState(node: Node, target: PowerTarget, signal: AbortSignal): Promise<void>
  supportedBootDevices: readonly BootDevice[]
  getBootDevice(
    node: Node,
    signal: AbortSignal,
  ): Promise<{ boot_device: BootDevice | null; persistent: boolean | null }>
  setBootDevice(node: Node, device: BootDevice, persistent: boolean, signal: AbortSignal): Promise<void>
  /** To be merged into driver_internal_info after setBootDevice; for BMCs that forget their boot device over a power cycle. */
  bootDeviceToRemember?(node: Node, device: BootDevice, persistent: boolean): Json
}
export type BmcDrivers = ReadonlyMap<string, BmcDriver>
