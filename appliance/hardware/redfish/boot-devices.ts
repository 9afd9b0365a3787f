/** The boot devices of Ironic in Redfish's words. */
import type { BootDevice } from '../../plugin-api/interfaces.ts'

/** BootSourceOverrideTarget. @source Ironic drivers/modules/redfish/management.py BOOT_DEVICE_MAP */
export const TARGETS: Readonly<Partial<Record<BootDevice, string>>> = {
  pxe: 'Pxe',
  disk: 'Hdd',
  cdrom: 'Cd',
  bios: 'BiosSetup',
}
export const REDFISH_BOOT_DEVICES = Object.keys(TARGETS) as readonly BootDevice[]

/** What a BMC tells may be more than what it is told. */
export const DEVICES: Readonly<Record<string, BootDevice>> = {
  Pxe: 'pxe',
  Hdd: 'disk',
  Cd: 'cdrom',
  UsbCd: 'cdrom',
  BiosSetup: 'bios',
}
