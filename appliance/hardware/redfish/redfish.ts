/**
 * What the interfaces of Redfish share: one BMC at hand for the length of a call, and the sessions that are kept
 * between calls. What speaks to a BMC is loaded when one is first asked.
 */
import type { Reach } from '@appliance/ground/reach'
import type { Config } from '../../config/options.ts'
import type { Log } from '../../log.ts'
import type { InterfaceTask } from '../../plugin-api/interfaces.ts'
import { type BootMode, bootModeOf, warnOfCapabilities } from '../boot-mode.ts'
import { type RedfishAccess, redfishAccessOf } from './access.ts'
import type { Bmc, RedfishTask } from './bmc.ts'
import type { Client } from './client.ts'

type RedfishOptions = {
  log: Log
  /** Which addresses BMCs may have. */
  reach: Reach
  config: Config['redfish']
  /** [deploy] default_boot_mode. */
  default_boot_mode: BootMode
  /** Ironic's [conductor] power_state_change_timeout. */
  power_state_change_timeout_s?: number
  /** Ironic's [conductor] soft_power_off_timeout. */
  soft_power_off_timeout_s?: number
}

export type Redfish = {
  /** Touches no machine. @throws MissingParameterValue, InvalidParameterValue */
  validate(task: Pick<InterfaceTask, 'node' | 'log'>): void
  /**
   * @param work  what is asked of the BMC
   * @throws MissingParameterValue, InvalidParameterValue; RedfishFailure  what the BMC did, or did not
   */
  at<T>(task: RedfishTask, work: (bmc: Bmc) => Promise<T>): Promise<T>
}

export function createRedfish(options: RedfishOptions): Redfish {
  const { log, reach, config, default_boot_mode } = options
  const timeouts = {
    power_state_change_timeout_s: options.power_state_change_timeout_s ?? 60,
    soft_power_off_timeout_s: options.soft_power_off_timeout_s ?? 600,
  }
  /** By what they are opened with; the one that was used last stands last. */
  const kept = new Map<string, Client>()

  async function clientFor(access: RedfishAccess, key: string): Promise<Client> {
    const { createClient } = await import('./client.ts')
    const found = kept.get(key)
    kept.delete(key)
    const client =
      found ??
      createClient(access, {
        ...{ log, reach, connection_attempts: config.connection_attempts },
        connection_retry_interval_s: config.connection_retry_interval,
        ...{ connect_timeout_s: config.connect_timeout, read_timeout_s: config.read_timeout },
      })
    kept.set(key, client)
    const [oldest] = kept.size > Math.max(1, config.connection_cache_size) ? kept : []
    if (oldest) letGo(...oldest)
    return client
  }

  /** Its session is closed beside: nobody waits for a BMC that is not asked any more. */
  function letGo(key: string, client: Client): void {
    kept.delete(key)
    void client.close(AbortSignal.timeout(config.connect_timeout * 1000))
  }

  return {
    validate({ node, log }) {
      redfishAccessOf(node, config)
      warnOfCapabilities(node, log)
      bootModeOf(node, default_boot_mode)
    },
    async at(task, work) {
      const access = redfishAccessOf(task.node, config)
      const { createBmc } = await import('./bmc.ts')
      const { isOver } = await import('./failure.ts')
      const key = JSON.stringify(access)
      const client = await clientFor(access, key)
      const asked_boot_mode = () => askedBootMode(task.node)
      try {
        return await work(createBmc(client, { task, log, config, asked_boot_mode, ...timeouts }))
      } catch (error) {
        // Its session, or the CA that was read for it, may be no good any more.
        if (isOver(error) && kept.get(key) === client) kept.delete(key)
        throw error
      } finally {
        if (config.connection_cache_size === 0) letGo(key, client)
      }
    },
  }
}

/** Without a word of it, the default comes out. */
function askedBootMode(node: RedfishTask['node']): BootMode | undefined {
  const [one, other] = [bootModeOf(node, 'bios'), bootModeOf(node, 'uefi')]
  return one === other ? one : undefined
}
