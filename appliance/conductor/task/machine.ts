/** Starts a machine into the deploy ramdisk, and says where it boots from next. */
import type { BootDevice } from '../../plugin-api/interfaces.ts'
import { type RamdiskParts, validateRamdisk } from '../boot/ramdisk.ts'
import { setBoot } from '../boot/record.ts'
import { agentIsAlive, interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import { nodeOf } from '../parts/parts.ts'
import { forgetAgent, isSwitchedByHand, keepsPower, type PowerParts, setBootDevice, setPower } from '../power/power.ts'
import { procedureOf } from '../procedures/procedure.ts'

export type MachineParts = PowerParts & RamdiskParts

const DEVICES = { disk: 'disk', network: 'pxe', cdrom: 'cdrom' } as const satisfies Record<string, BootDevice>

/**
 * A BMC that knows no such boot device is only noted: the machine then asks on the network first, and is sent where it
 * should go.
 * @throws BmcFailure
 */
export async function bootFrom(
  parts: MachineParts,
  uuid: string,
  device: keyof typeof DEVICES,
  o: { persistent: boolean; signal: AbortSignal },
): Promise<void> {
  const node = nodeOf(parts, uuid)
  if (interfaceOf(parts, node, 'management').supportedBootDevices.includes(DEVICES[device])) {
    await setBootDevice(parts, uuid, DEVICES[device], o)
  } else {
    parts.log.warn('boot device not supported', { node: uuid, driver: node.driver, boot_device: DEVICES[device] })
  }
}

/** @throws BmcFailure, and what the plugin says about its layers, before anything is switched */
export async function bootAgent(parts: MachineParts, uuid: string, signal: AbortSignal): Promise<void> {
  const node = nodeOf(parts, uuid)
  await validateRamdisk(parts, node, procedureOf(node).kind)
  const isRebooted = keepsPower(parts, node)
  if (!isRebooted) await setPower(parts, uuid, 'power off', { signal })
  await setBoot(parts, uuid, () => ({ agent: true }))
  await prepareRamdisk(parts, uuid, signal)
  if (isSwitchedByHand(parts, node) && !agentIsAlive(parts, node)) return waitForHand(parts, uuid)
  await setPower(parts, uuid, isRebooted ? 'rebooting' : 'power on', { signal })
}

/** The wait for the agent is as long as for others: a person goes and presses the button. */
async function waitForHand(parts: MachineParts, uuid: string): Promise<void> {
  await forgetAgent(parts, uuid)
  parts.log.warn('machine has to be started by hand, and boots the deploy ramdisk then', { node: uuid })
}

async function prepareRamdisk(parts: MachineParts, uuid: string, signal: AbortSignal): Promise<void> {
  const node = nodeOf(parts, uuid)
  const boot = interfaceOf(parts, node, 'boot')
  await boot.prepareRamdisk({
    ...interfaceTask(parts, node, 'boot', signal),
    bootFrom: (device, o) => bootFrom(parts, uuid, device, { ...o, signal }),
  })
}
