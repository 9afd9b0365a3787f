/**
 * What the interfaces of IPMI share: one BMC at hand, and its boot device. One object for all of them, so that a BMC
 * gets one command at a time.
 */
import type { Reach } from '@appliance/ground/reach'
import { InvalidParameterValue } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { BootDevice, InterfaceTask } from '../../plugin-api/interfaces.ts'
import { type BootMode, bootModeOf, warnOfCapabilities } from '../boot-mode.ts'
import { type IpmiAccess, type IpmiDefaults, ipmiAccessOf } from './access.ts'
import { bootDeviceCommands, IPMI_BOOT_DEVICES } from './boot-device.ts'
import type { Command } from './command.ts'
import { createIpmitool, IPMITOOL_TIMING, type IpmiSettings, type IpmitoolTiming } from './ipmitool.ts'

export type IpmiOptions = {
  log: Log
  /** Which addresses BMCs may have. */
  reach: Reach
  /** [deploy] default_boot_mode. */
  default_boot_mode: BootMode
  /** Ironic's [conductor] power_state_change_timeout. */
  power_state_change_timeout_s?: number
  /** Ironic's [conductor] soft_power_off_timeout. */
  soft_power_off_timeout_s?: number
  /** Section [ipmi]; Ironic's defaults where it is left out, but for min_command_interval. */
  settings?: Partial<IpmiSettings & IpmiDefaults>
  timing?: Partial<IpmitoolTiming>
}

const SETTINGS: IpmiSettings & IpmiDefaults = {
  command_retry_timeout: 60,
  min_command_interval: 0,
  use_ipmitool_retries: false,
  kill_on_timeout: true,
  disable_boot_timeout: true,
  additional_retryable_ipmi_errors: [],
  cipher_suite_versions: [],
}

/** One BMC for the length of one call. */
export type Bmc = {
  node: InterfaceTask['node']
  access: IpmiAccess
  signal: AbortSignal
  /** @returns what ipmitool wrote to stdout @throws BmcFailure */
  run(...commands: string[]): Promise<string>
  /** For a session that lasts: how ipmitool is started with these arguments. @throws BmcFailure */
  command(args: readonly string[]): Promise<Command>
}
export type Ipmi = {
  power_state_change_timeout_s: number
  soft_power_off_timeout_s: number
  /** Touches no machine. @throws MissingParameterValue, InvalidParameterValue */
  validate(task: InterfaceTask): void
  /** Touches no machine either. @throws MissingParameterValue, InvalidParameterValue */
  open(task: InterfaceTask): Bmc
  /** @throws BmcFailure, InvalidParameterValue */
  setBootDevice(bmc: Bmc, device: BootDevice, persistent: boolean): Promise<void>
  /**
   * The device that is told to the BMC before each power on, because it forgets it (ipmi_force_boot_device);
   * undefined: none, or one was set for once.
   */
  forcedBootDevice(bmc: Bmc): BootDevice | undefined
  /** The machine is switched on: what was set for once is used up. */
  useUp(bmc: Bmc): void
}

export function createIpmi(options: IpmiOptions): Ipmi {
  const { default_boot_mode, power_state_change_timeout_s = 60, soft_power_off_timeout_s = 600 } = options
  const settings = { ...SETTINGS, ...options.settings }
  const ipmitool = createIpmitool({ ...options, settings }, { ...IPMITOOL_TIMING, ...options.timing })
  /** Nodes whose next boot was set for once: ipmi_force_boot_device must not overrule that. A restart forgets it. */
  const setForOnce = new Set<string>()
  return {
    power_state_change_timeout_s,
    soft_power_off_timeout_s,
    validate({ node, log }) {
      ipmiAccessOf(node, settings)
      warnOfCapabilities(node, log)
      bootModeOf(node, default_boot_mode)
    },
    open({ node, signal }) {
      const access = ipmiAccessOf(node, settings)
      return { node, access, signal, ...ipmitool.at(access, signal) }
    },
    async setBootDevice(bmc, device, persistent) {
      if (!IPMI_BOOT_DEVICES.includes(device))
        throw new InvalidParameterValue(`Invalid boot device ${device} specified.`)
      const { force_boot_device, disable_boot_timeout } = bmc.access
      const boot_mode = bootModeOf(bmc.node, default_boot_mode)
      const vendor = String(bmc.node.properties.vendor ?? '').toLowerCase()
      const wanted = { device, persistent: persistent && !force_boot_device, boot_mode, vendor, disable_boot_timeout }
      await bmc.run(...bootDeviceCommands(wanted))
      if (persistent) setForOnce.delete(bmc.node.uuid)
      else setForOnce.add(bmc.node.uuid)
    },
    forcedBootDevice({ node, access }) {
      const device = node.driver_internal_info.persistent_boot_device as BootDevice | undefined
      return access.force_boot_device && !setForOnce.has(node.uuid) ? device : undefined
    },
    useUp: ({ node }) => void setForOnce.delete(node.uuid),
  }
}
