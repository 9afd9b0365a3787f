/** The health of each part, for /healthz and the watchdog. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { freeBytes } from '@appliance/ground/files'
import { checkRamdisk } from '@appliance/pxe/check-ramdisk'
import { PxeError } from '@appliance/pxe/config'
import type { UpstreamStatus } from '@appliance/registry-mirror'
import type { Config } from '../config/options.ts'
import { messageOf } from '../errors.ts'
import type { PluginFailure } from '../plugin-host/discover.ts'
import type { PartHealth } from '../web/operations.ts'
import { warningOfApi } from './check-api.ts'

/** With less room than that, records soon cannot be written. */
const ROOM_NEEDED_BYTES = 16 * 1024 * 1024

export async function storeHealth(state_path: string): Promise<PartHealth> {
  try {
    await access(state_path, constants.W_OK)
    const left_bytes = await freeBytes(state_path)
    if (left_bytes >= ROOM_NEEDED_BYTES) return { healthy: true }
    return { healthy: false, message: `${state_path} has ${Math.floor(left_bytes / 1024)} KiB left: free some` }
  } catch (error) {
    return { healthy: false, message: `${state_path} cannot be written: ${messageOf(error)}` }
  }
}

/**
 * Upstreams are reported and change nothing: a mirror is there for the time without them.
 * @param storage_path  where the content lies
 */
export async function mirrorHealth(storage_path: string, upstreams: readonly UpstreamStatus[]): Promise<PartHealth> {
  const storage = await storeHealth(storage_path)
  const told = upstreams
    .filter(({ state }) => state !== 'up')
    .map(({ name, state, reason }) => `upstream ${name} is ${state}${reason === undefined ? '' : `: ${reason}`}`)
  const message = [...(storage.message === undefined ? [] : [storage.message]), ...told].join('; ')
  return { healthy: storage.healthy, ...(message !== '' && { message }) }
}

/** That everybody may do all is told, and changes nothing. */
export function apiHealth(config: Config): PartHealth {
  const message = warningOfApi(config)
  return { healthy: true, ...(message !== undefined && { message }) }
}

/** Repairs that the store made at its start are shown until the next start: somebody should look at the disk. */
export function withRepairs(health: PartHealth, repairs: readonly string[]): PartHealth {
  return health.healthy && repairs.length > 0
    ? { healthy: true, message: `repaired at the start: ${repairs.join('; ')}` }
    : health
}

/** @param problems  of plugins that are loaded, and miss something on this box: told, and no more than that */
export function pluginHealth(failures: readonly PluginFailure[], problems: readonly string[] = []): PartHealth {
  const message = [...failures.map(({ reason }) => reason), ...problems].join('; ')
  return { healthy: failures.length === 0, ...(message !== '' && { message }) }
}

/**
 * A missing ramdisk is reported and changes nothing: the API, the images and the registry mirror work without it, but
 * no machine can be deployed.
 */
export async function ramdiskHealth(ramdisk_path: string): Promise<PartHealth> {
  const message = await problemOfRamdisk(ramdisk_path)
  return { healthy: true, ...(message !== undefined && { message }) }
}

/** Told while there is something to tell: strangers on the wire are no fault of this box. */
export const strangersHealth = (message: string | undefined): { machines?: PartHealth } =>
  message === undefined ? {} : { machines: { healthy: true, message } }

/** @returns a sentence when no machine can be deployed or cleaned with the present ramdisk */
export async function problemOfRamdisk(ramdisk_path: string): Promise<string | undefined> {
  return checkRamdisk(ramdisk_path).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof PxeError) return error.message
      throw error
    },
  )
}
