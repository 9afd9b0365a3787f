/** How the parts of the appliance are, for /healthz and the watchdog. */
import { constants } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import type { PluginFailure } from '../plugin-host/discover.ts'
import type { PartHealth } from '../web/operations.ts'

/** Less than that, and records soon cannot be kept. */
const ROOM_NEEDED_BYTES = 16 * 1024 * 1024

export async function storeHealth(state_path: string): Promise<PartHealth> {
  try {
    await access(state_path, constants.W_OK)
    const { bavail, bsize } = await statfs(state_path)
    if (bavail * bsize >= ROOM_NEEDED_BYTES) return { healthy: true }
    return { healthy: false, message: `${state_path} has ${Math.floor((bavail * bsize) / 1024)} KiB left: free some` }
  } catch (error) {
    return { healthy: false, message: `${state_path} cannot be written: ${messageOf(error)}` }
  }
}

/** What repairs the store made at its start stands here until the next start: somebody should look at the disk. */
export function withRepairs(health: PartHealth, repairs: readonly string[]): PartHealth {
  return health.healthy && repairs.length > 0
    ? { healthy: true, message: `repaired at the start: ${repairs.join('; ')}` }
    : health
}

export function pluginHealth(failures: readonly PluginFailure[]): PartHealth {
  return failures.length === 0
    ? { healthy: true }
    : { healthy: false, message: failures.map(({ reason }) => reason).join('; ') }
}
