/**
 * The boot device in IPMI's words: which commands set it, and what `chassis bootparam get 5` tells.
 * @source Ironic drivers/modules/ipmitool.py
 */

import type { BootDevice } from '../../plugin-api/interfaces.ts'
import type { BootMode } from '../boot-mode.ts'

/** IPMI 2.0 section 28.13, table 28-14, boot flags, data 2 bits 5:2. */
const SELECTORS: Readonly<Record<BootDevice, string>> = {
  pxe: '0x04',
  disk: '0x08',
  cdrom: '0x14',
  bios: '0x18',
  safe: '0x0c',
}
/** Supermicro's UEFI disk is the "primary remote media": https://www.supermicro.com/support/faqs/faq.cfm?faq=25559 */
const SUPERMICRO_UEFI_DISK = '0x24'

export const IPMI_BOOT_DEVICES = Object.keys(SELECTORS) as readonly BootDevice[]

/** Set boot option 3: no clearing of the boot flags after 60 s, nor by a power button or watchdog. */
const DISABLE_TIMEOUT = 'raw 0x00 0x08 0x03 0x08'
/** Set boot option 5, data 1: valid (80), persistent (40), UEFI (20). */
const EFI_PERSISTENT = '0xe0'
const EFI_ONCE = '0xa0'

/** All go through one session. UEFI is set raw: not every ipmitool can combine `efiboot` with `persistent`. */
export function bootDeviceCommands(wanted: {
  device: BootDevice
  persistent: boolean
  boot_mode: BootMode
  vendor: string
  disable_boot_timeout: boolean
}): string[] {
  const { device, persistent, boot_mode, vendor, disable_boot_timeout } = wanted
  const before = disable_boot_timeout ? [DISABLE_TIMEOUT] : []
  if (boot_mode === 'bios') return [...before, `chassis bootdev ${device}${persistent ? ' options=persistent' : ''}`]
  const selector = device === 'disk' && vendor === 'supermicro' ? SUPERMICRO_UEFI_DISK : SELECTORS[device]
  return [...before, `raw 0x00 0x08 0x05 ${persistent ? EFI_PERSISTENT : EFI_ONCE} ${selector} 0x00 0x00 0x00`]
}

export function bootDeviceOf(bootparam: string): { boot_device: BootDevice | null; persistent: boolean | null } {
  const selector = bootparam.match(/Boot Device Selector : (.*)/)?.[1] ?? ''
  const found = SIGNS.find(([sign]) => selector.includes(sign))
  return {
    boot_device: found?.[1] ?? null,
    persistent: bootparam.includes('Options apply to all future boots'),
  }
}
const SIGNS: readonly (readonly [string, BootDevice])[] = [
  ['PXE', 'pxe'],
  ['Safe-Mode', 'safe'],
  ['Hard-Drive', 'disk'],
  ['BIOS', 'bios'],
  ['CD/DVD', 'cdrom'],
]
