/**
 * Network boot: DHCP and TFTP by dnsmasq, iPXE scripts, the deploy ramdisk. Knows nothing of the appliance: it is
 * given a config and a logger.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { SendRoom } from '@appliance/ground/send-room'
import type { PxeConfig, PxeLog } from './config.ts'
import { Dnsmasq, type Health } from './dnsmasq/dnsmasq.ts'
import type { DiscoveryOf, IsoBootOf, MachineBootOf } from './handle-boot.ts'
import { serveBoot } from './http/serve-boot.ts'
import { createDeployIsos } from './iso/deploy-iso.ts'
import { type LayerSource, readLayer } from './ramdisk/layer.ts'

export { checkRamdisk } from './check-ramdisk.ts'
export { type PxeConfig, PxeError, type PxeLog } from './config.ts'
export { createIsLeased, type IsLeased } from './dnsmasq/leases.ts'
export type { IsoBootOf, MachineBootOf } from './handle-boot.ts'
export { checkKernelParameters, type KernelParameter, parseKernelParameters } from './kernel-parameters.ts'
export type { MachineBoot } from './machine-boot.ts'
export { checkMachineFiles, type MachineFile, packMachineFiles } from './machine-files.ts'
export { INSPECT_LAYER, layersOfSteps, RESCUE_LAYER } from './own-layers.ts'
export type { Disk } from './ramdisk/agent/hardware/disks.ts'
export { problemOfRootDeviceHints, problemOfSkipBlockDevices } from './ramdisk/agent/hardware/node-hints.ts'
export { chooseRootDevice } from './ramdisk/agent/hardware/root-device.ts'
export { type RamdiskFiles, readRamdiskFiles } from './ramdisk-files.ts'

export type Pxe = {
  /**
   * Resolves when DHCP and TFTP answer, or have failed for a reason that may pass (health tells it; they are tried
   * again).
   * @throws PxeError  the configuration or iPXE's files are wrong
   */
  start(): Promise<void>
  /**
   * Answers a request under http_url and returns true, or returns false when the path is none of boot's. GET and HEAD
   * only.
   */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>
  health(): Promise<Health>
  /** Within a second. */
  stop(): Promise<void>
}

export type PxeGiven = {
  log: PxeLog
  /** Decides what a machine boots; asked each time its iPXE asks. What it throws passes through handle(). */
  machineBootOf: MachineBootOf
  /** For machines that get the deploy ramdisk as virtual media; left out: none do. */
  isoBootOf?: IsoBootOf
  /** Left out: an unknown machine boots nothing of this box. */
  discoveryOf?: DiscoveryOf
  /** Called for each boot that this box refuses and will go on refusing, whoever asked for it. */
  onRefused?: (node: string, reason: string) => void
  /** Called for each chunk of a file that goes out. */
  onBytes?: (bytes: number) => void
}

/** @param config  complete: http_url holds the port that is listened on */
export function createPxe(config: PxeConfig, given: PxeGiven): Pxe {
  const dnsmasq = config.dhcp_provider === 'dnsmasq' ? new Dnsmasq(config, given.log) : undefined
  const room = new SendRoom()
  const isos = createDeployIsos(config)
  return {
    start: async () => dnsmasq?.start(),
    handle: (request, response) => serveBoot(request, response, { config, room, isos, ...given }),
    health: async () => dnsmasq?.health() ?? { healthy: true },
    stop: async () => dnsmasq?.stop(),
  }
}

/** @throws PxeError  what is wrong with a layer of the deploy ramdisk, in one sentence */
export async function checkLayer(layer: LayerSource): Promise<void> {
  await readLayer(layer, 'hardware')
}
