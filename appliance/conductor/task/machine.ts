/** Starts a machine into the deploy ramdisk, and says where it boots from next. */
import type { BootDevice } from '../../hardware/driver.ts'
import { validateRamdisk } from '../boot/ramdisk.ts'
import { setBoot } from '../boot/record.ts'
import { bmcOf, nodeOf, type Parts } from '../parts/parts.ts'
import { setBootDevice, setPower } from '../power/power.ts'
import { procedureOf } from '../procedures/procedure.ts'

const DEVICES = { disk: 'disk', network: 'pxe', cdrom: 'cdrom' } as const satisfies Record<string, BootDevice>

/**
 * A BMC that knows no such boot device is only noted: the machine then asks on the network first, and is sent where it should go.
 * @throws BmcFailure
 */
export async function bootFrom(
  parts: Parts,
  uuid: string,
  device: keyof typeof DEVICES,
  o: { persistent: boolean; signal: AbortSignal },
): Promise<void> {
  const node = nodeOf(parts, uuid)
  if (bmcOf(parts, node).supportedBootDevices.includes(DEVICES[device])) {
    await setBootDevice(parts, uuid, DEVICES[device], o)
  } else {
    parts.log.warn('boot device not supported', { node: uuid, driver: node.driver, boot_device: DEVICES[device] })
  }
}

/** @throws BmcFailure, and what the plugin says about its layers, before anything is switched */
export async function bootAgent(parts: Parts, uuid: string, signal: AbortSignal): Promise<void> {
  await validateRamdisk(parts, nodeOf(parts, uuid), procedureOf(nodeOf(parts, uuid)))
  const keepsPower = nodeOf(parts, uuid).disable_power_off
  if (!keepsPower) await setPower(parts, uuid, 'power off', { signal })
  await setBoot(parts, uuid, () => ({ agent: true }))
  await bootFrom(parts, uuid, 'network', { persistent: false, signal })
  await setPower(parts, uuid, keepsPower ? 'rebooting' : 'power on', { signal })
}
