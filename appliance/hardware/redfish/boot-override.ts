/**
 * What a machine boots from next, by Redfish's boot override, with the detours that BMCs of several vendors need.
 * @source Ironic drivers/modules/redfish/management.py; sushy resources/system/system.py set_system_boot_options
 */
import { InvalidParameterValue, UnsupportedDriverExtension } from '../../errors.ts'
import type { BootDevice } from '../../plugin-api/interfaces.ts'
import type { BootMode } from '../boot-mode.ts'
import type { Bmc } from './bmc.ts'
import { DEVICES, REDFISH_BOOT_DEVICES, TARGETS } from './boot-devices.ts'
import type { Resource } from './client.ts'
import { RedfishFailure } from './failure.ts'
import { linkAt, memberAt, tableAt, textAt, textsAt } from './members.ts'

const MODES: Readonly<Record<BootMode, string>> = { bios: 'Legacy', uefi: 'UEFI' }
export const modeOf = (told: string | undefined): BootMode | null =>
  told === 'UEFI' ? 'uefi' : told === 'Legacy' ? 'bios' : null

/** They want target, mode and duration with every change. */
const WANT_ALL: readonly string[] = ['american megatrends international', 'ami', 'asrockrack', 'redfish_compatible']
const SUPERMICRO = 'supermicro'

type Duration = 'Once' | 'Continuous'
type BootChange = { target?: string; enabled?: Duration | 'Disabled'; mode?: string; http_boot_uri?: string }

/** What stands in the system; what is missing there, and stands in the settings for its next boot. */
type Boot = {
  target: string | undefined
  enabled: string | undefined
  mode: string | undefined
  /** undefined: the BMC does not tell. */
  targets: readonly string[] | undefined
  settings: Resource | undefined
}

const ALLOWED_TARGETS = 'BootSourceOverrideTarget@Redfish.AllowableValues'

async function readBoot(bmc: Bmc, system: Resource): Promise<Boot> {
  const link = linkAt(system.body, '@Redfish.Settings', 'SettingsObject')
  const settings = link === undefined ? undefined : await bmc.get(link)
  const first = (name: string) => textAt(system.body, 'Boot', name) ?? textAt(settings?.body, 'Boot', name)
  const targets = [system.body, settings?.body].map((body) => textsAt(body, 'Boot', ALLOWED_TARGETS))
  return {
    target: first('BootSourceOverrideTarget'),
    enabled: first('BootSourceOverrideEnabled'),
    mode: first('BootSourceOverrideMode'),
    targets: targets.find((each) => each.length > 0),
    settings,
  }
}

/** Each member goes to where the BMC has it: to the settings for the next boot, or to the system. */
async function changeBoot(bmc: Bmc, system: Resource, boot: Boot, change: BootChange): Promise<void> {
  const { settings } = boot
  const ofSystem: Record<string, unknown> = {}
  const ofSettings: Record<string, unknown> = {}
  const isIn = (resource: Resource | undefined, name: string) => memberAt(resource?.body, 'Boot', name) !== undefined
  const set = (name: string, value: unknown) => {
    if (isIn(settings, name)) ofSettings[name] = value
    else ofSystem[name] = value
  }
  if (change.target !== undefined) set('BootSourceOverrideTarget', change.target)
  if (change.http_boot_uri !== undefined) {
    if (!isIn(settings, 'HttpBootUri') && !isIn(system, 'HttpBootUri')) {
      throw bmc.failure('takes no address to boot from by HTTP (it has no HttpBootUri).')
    }
    set('HttpBootUri', change.http_boot_uri)
  } else if (change.target !== undefined && hasHttpUri(system, settings)) set('HttpBootUri', null)
  if (change.enabled !== undefined) set('BootSourceOverrideEnabled', change.enabled)
  if (change.mode !== undefined) set('BootSourceOverrideMode', change.mode)
  if (settings && Object.keys(ofSettings).length > 0) await bmc.patch(settings, { Boot: ofSettings })
  if (Object.keys(ofSystem).length > 0) await bmc.patch(system, { Boot: ofSystem })
}

const hasHttpUri = (...resources: readonly (Resource | undefined)[]) =>
  resources.some((each) => (tableAt(each?.body, 'Boot').HttpBootUri ?? null) !== null)

/** By the record, else by what the BMC says. */
const vendorOf = (bmc: Bmc, system: Resource): string =>
  String(bmc.node.properties.vendor || textAt(system.body, 'Manufacturer') || '').toLowerCase()

const wantsAll = (bmc: Bmc, system: Resource): boolean => WANT_ALL.some((name) => vendorOf(bmc, system).includes(name))

/** Supermicro shows virtual media as a USB drive: from "Cd" it does not boot. */
function targetFor(bmc: Bmc, system: Resource, boot: Boot, device: BootDevice): string {
  const target = TARGETS[device]
  if (target === undefined) throw new InvalidParameterValue(`Invalid boot device ${device} specified.`)
  const isSupermicro = textAt(system.body, 'Manufacturer')?.toLowerCase() === SUPERMICRO
  if (target === 'Cd' && isSupermicro && boot.targets?.includes('UsbCd')) return 'UsbCd'
  if (boot.targets === undefined || boot.targets.includes(target)) return target
  throw bmc.failure(`boots from none of what "${device}" means: it offers ${boot.targets.join(', ')}.`)
}

/** @throws InvalidParameterValue  Redfish has no word for the device; RedfishFailure */
export async function setBootDevice(bmc: Bmc, device: BootDevice, persistent: boolean): Promise<void> {
  if (!REDFISH_BOOT_DEVICES.includes(device)) {
    throw new InvalidParameterValue(`Invalid boot device ${device} specified.`)
  }
  if (bmc.node.driver_internal_info.redfish_boot_device !== undefined) {
    await bmc.remember({ redfish_boot_device: undefined })
  }
  const system = await bmc.system()
  try {
    await bootFrom(bmc, system, device, persistent ? 'Continuous' : 'Once')
  } catch (error) {
    if (!persistent || !(error instanceof RedfishFailure) || error.status === undefined) throw error
    // Redfish has dropped Continuous, and some BMCs with it: the device is set anew before each start.
    bmc.log.warn('the BMC sets no persistent boot device: it is set at each start', {
      node: bmc.node.uuid,
      boot_device: device,
      reason: error.message,
    })
    await bootFrom(bmc, await bmc.system(), device, 'Once')
    await bmc.remember({ redfish_boot_device: device })
  }
  await syncMode(bmc)
}

/**
 * To what the record asks for. The BMCs of Supermicro go back to BIOS with each change of the device.
 * @source Ironic drivers/modules/boot_mode_utils.py sync_boot_mode; https://storyboard.openstack.org/#!/story/2008712
 */
async function syncMode(bmc: Bmc): Promise<void> {
  const asked = bmc.asked_boot_mode()
  if (asked === undefined) return
  const system = await bmc.system()
  const boot = await readBoot(bmc, system)
  if (boot.mode !== undefined && modeOf(boot.mode) !== asked) await changeMode(bmc, system, boot, asked)
}

/** Counts from the next boot. */
export async function setBootMode(bmc: Bmc, mode: BootMode): Promise<void> {
  const system = await bmc.system()
  const boot = await readBoot(bmc, system)
  try {
    await changeMode(bmc, system, boot, mode)
  } catch (error) {
    // HPE Gen9, for one: it neither tells the mode nor takes one. @source Ironic management.py set_boot_mode
    if (boot.mode !== undefined || !(error instanceof RedfishFailure) || error.status === undefined) throw error
    throw new UnsupportedDriverExtension(bmc.node.driver, 'set_boot_mode')
  }
}

async function changeMode(bmc: Bmc, system: Resource, boot: Boot, mode: BootMode): Promise<void> {
  const all = { enabled: (boot.enabled ?? 'Once') as Duration, target: boot.target ?? 'Pxe' }
  await afterPost(bmc, () => changeBoot(bmc, system, boot, { ...(wantsAll(bmc, system) && all), mode: MODES[mode] }))
}

/** Some BMCs refuse a duration that is set already, Supermicro's one that is left out. */
async function bootFrom(bmc: Bmc, system: Resource, device: BootDevice, duration: Duration): Promise<void> {
  const boot = await readBoot(bmc, system)
  const target = targetFor(bmc, system, boot, device)
  const isSaid = vendorOf(bmc, system) === SUPERMICRO || wantsAll(bmc, system) || boot.enabled !== duration
  const change: BootChange = {
    target,
    ...(isSaid && { enabled: duration }),
    ...(wantsAll(bmc, system) && { mode: boot.mode ?? MODES.uefi }),
  }
  await afterPost(bmc, () => changeBoot(bmc, system, boot, change))
}

/** HPE's BMCs refuse while the firmware starts. @source Ironic [redfish] post_boot_retry_attempts */
async function afterPost(bmc: Bmc, act: () => Promise<void>): Promise<void> {
  const { post_boot_retry_attempts: attempts, post_boot_retry_delay: delay_s } = bmc.config
  for (let attempt = 1; ; attempt++) {
    try {
      return await act()
    } catch (error) {
      const isPost = error instanceof RedfishFailure && error.names('UnableToModifyDuringSystemPOST')
      if (!isPost || attempt >= attempts) throw error
      await bmc.pause(Math.min(delay_s * 2 ** (attempt - 1), delay_s * 6))
    }
  }
}

export async function getBootDevice(bmc: Bmc): Promise<{ boot_device: BootDevice | null; persistent: boolean | null }> {
  const { target, enabled } = await readBoot(bmc, await bmc.system())
  return {
    boot_device: DEVICES[target ?? ''] ?? null,
    persistent: enabled === 'Continuous' ? true : enabled === 'Once' ? false : null,
  }
}

/** Before a start: the device that the BMC could only set for once. */
export async function restoreBootDevice(bmc: Bmc, system: Resource): Promise<void> {
  const device = bmc.node.driver_internal_info.redfish_boot_device as BootDevice | undefined
  if (device === undefined || !REDFISH_BOOT_DEVICES.includes(device)) return
  try {
    await bootFrom(bmc, system, device, 'Once')
  } catch (error) {
    if (!(error instanceof RedfishFailure)) throw error
    bmc.log.warn('the boot device cannot be set anew: the machine boots by its own order', {
      node: bmc.node.uuid,
      boot_device: device,
      reason: error.message,
    })
  }
}

/** The mode that the machine's next boot has. Some BMCs cannot tell. */
export async function getBootMode(bmc: Bmc): Promise<BootMode | null> {
  return modeOf((await readBoot(bmc, await bmc.system())).mode)
}
