/** Starts a machine into the deploy ramdisk, and says where it boots from next. */
import { trimEnd } from '@appliance/ground/trim-end'
import { messageOf } from '../../errors.ts'
import type { BootDevice } from '../../plugin-api/interfaces.ts'
import { layersFor } from '../boot/layers.ts'
import { type RamdiskParts, validateRamdisk } from '../boot/ramdisk.ts'
import { endProcedureBoot, setBoot } from '../boot/record.ts'
import { isUnanswered, openWindow } from '../boot/window.ts'
import { agentIsAlive, interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import type { Parts } from '../parts/parts.ts'
import {
  forgetAgent,
  isSwitchedByHand,
  keepsPower,
  type PowerParts,
  readPowerState,
  setBootDevice,
  setPower,
} from '../power/power.ts'
import { procedureOf } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { findsAgent } from './fast-track.ts'

export type MachineParts = PowerParts & RamdiskParts & Pick<Parts, 'http_url'>

const DEVICES = { disk: 'disk', network: 'pxe', cdrom: 'cdrom' } as const satisfies Record<string, BootDevice>

/**
 * A BMC that knows no such boot device is only noted: the machine then asks on the network first, and is sent where it
 * should go.
 * @throws BmcFailure
 */
export async function bootFrom(
  parts: MachineParts,
  { record }: NodeHandle,
  device: keyof typeof DEVICES,
  o: { persistent: boolean; signal: AbortSignal },
): Promise<void> {
  const { uuid, driver } = record
  if (interfaceOf(parts, record, 'management').supportedBootDevices.includes(DEVICES[device])) {
    await setBootDevice(parts, record, DEVICES[device], o)
  } else {
    parts.log.warn('boot device not supported', { node: uuid, driver, boot_device: DEVICES[device] })
  }
}

/**
 * Does nothing where the agent lives already, under fast track.
 * @throws BmcFailure, and what the plugin says about its layers, before anything is switched
 */
export async function bootAgent(parts: MachineParts, node: NodeHandle, signal: AbortSignal): Promise<void> {
  const before = node.record
  const { kind } = procedureOf(before)
  await validateRamdisk(parts, before, kind)
  const layers = layersFor(parts, before, kind)
  if (await findsAgent(parts, node, layers, signal)) {
    parts.log.info('agent lives: machine is not started anew', { node: node.uuid })
    return
  }
  const isRebooted = keepsPower(parts, before)
  if (!isRebooted) await setPower(parts, node, 'power off', { signal })
  const isByHand = isSwitchedByHand(parts, before) && !agentIsAlive(parts, before)
  await setBoot(parts, node.uuid, (boot) => ({
    agent: true,
    window: isByHand && isUnanswered(boot) ? boot.window : null,
  }))
  const isBegun = await prepareRamdisk(parts, node, signal)
  if (isByHand) return waitForHand(parts, node)
  await setPower(parts, node, isRebooted ? 'rebooting' : 'power on', { signal, isBegun })
  await node.update({ internal: { agent_layers: layers } })
}

/**
 * Switches a machine in the middle of a procedure.
 * @returns whether it boots the agent then, because its procedure has one
 * @throws BmcFailure
 */
export async function switchWithAgent(
  parts: MachineParts,
  node: NodeHandle,
  target: 'power on' | 'power off' | 'rebooting',
  signal: AbortSignal,
): Promise<boolean> {
  const isBooted = target === 'rebooting' || (await readPowerState(parts, node, signal)) !== target
  const boots = isBooted && target !== 'power off' && parts.store.boots.get(node.uuid)?.agent === true
  const isBegun = boots && (await prepareRamdisk(parts, node, signal))
  await setPower(parts, node, target, { signal, isBegun })
  return boots
}

/**
 * Starts the machine from what it was deployed with: its disk, or what this box gives it at each start.
 * @throws BmcFailure
 */
export async function bootInstance(parts: MachineParts, node: NodeHandle, signal: AbortSignal): Promise<void> {
  const isRebooted = keepsPower(parts, node.record)
  if (!isRebooted) await setPower(parts, node, 'power off', { signal })
  await cleanUpRamdisk(parts, node, signal)
  await endProcedureBoot(parts, node.uuid)
  const device = parts.store.boots.get(node.uuid)?.instance ? 'network' : 'disk'
  await bootFrom(parts, node, device, { persistent: true, signal })
  await setPower(parts, node, isRebooted ? 'rebooting' : 'power on', { signal })
}

/**
 * The wait for the agent is as long as for others: a person goes and presses the button. Who has pressed it before this
 * box restarted has a machine with the number of the boot that is open.
 */
async function waitForHand(parts: MachineParts, node: NodeHandle): Promise<void> {
  if (!parts.store.boots.get(node.uuid)?.window) {
    await forgetAgent(parts, node)
    await openWindow(parts, node.uuid)
  }
  parts.log.warn('machine has to be started by hand, and boots the deploy ramdisk then', { node: node.uuid })
}

/** @returns whether the boot has begun by it: what the machine is given has its number already */
async function prepareRamdisk(parts: MachineParts, node: NodeHandle, signal: AbortSignal): Promise<boolean> {
  const boot = interfaceOf(parts, node.record, 'boot')
  let isBegun = false
  await boot.prepareRamdisk({
    ...interfaceTask(parts, node.record, 'boot', signal),
    bootFrom: (device, o) => bootFrom(parts, node, device, { ...o, signal }),
    async deployIso() {
      if (!isBegun) {
        await forgetAgent(parts, node)
        await openWindow(parts, node.uuid)
      }
      isBegun = true
      const number = parts.store.boots.get(node.uuid)?.window?.number_secret
      const base = node.record.driver_info.external_http_url ?? parts.http_url()
      return new URL(`${trimEnd(String(base), '/')}/boot/iso/${node.uuid}/${number}.iso`)
    },
  })
  return isBegun
}

/** A failure is noted: what is in a drive keeps nobody from booting from the disk. */
async function cleanUpRamdisk(parts: MachineParts, node: NodeHandle, signal: AbortSignal): Promise<void> {
  const boot = interfaceOf(parts, node.record, 'boot')
  if (!boot.cleanUpRamdisk) return
  try {
    await boot.cleanUpRamdisk(interfaceTask(parts, node.record, 'boot', signal))
  } catch (error) {
    signal.throwIfAborted()
    parts.log.warn('virtual media stay attached', { node: node.uuid, reason: messageOf(error) })
  }
}
