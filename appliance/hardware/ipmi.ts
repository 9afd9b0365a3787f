/** Power and boot device by IPMI, as Ironic's ipmitool interfaces do it, but without their pauses of seconds. */
import { BmcFailure, InvalidParameterValue } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Node, PowerState, PowerTarget } from '../records/kinds/node.ts'
import { type BootMode, bootModeOf } from './boot-mode.ts'
import type { BmcDriver, BootDevice } from './driver.ts'
import { IPMI_PROPERTIES, type IpmiAccess, ipmiAccessOf } from './ipmi/access.ts'
import { bootDeviceCommands, bootDeviceOf, IPMI_BOOT_DEVICES } from './ipmi/boot-device.ts'
import { bmcOf } from './ipmi/failure.ts'
import { createIpmitool, IPMITOOL_TIMING, type IpmitoolTiming } from './ipmi/ipmitool.ts'
import { waitForPower } from './ipmi/wait-for-power.ts'

export type IpmiOptions = {
  log: Log
  /** [deploy] default_boot_mode. */
  default_boot_mode: BootMode
  /** Ironic's [conductor] power_state_change_timeout. */
  power_state_change_timeout_s?: number
  /** Ironic's [conductor] soft_power_off_timeout. */
  soft_power_off_timeout_s?: number
  timing?: Partial<IpmitoolTiming>
}

/** One BMC for the length of one call of the driver. */
type Bmc = { node: Node; access: IpmiAccess; signal: AbortSignal; run(...commands: string[]): Promise<string> }

export function createIpmi(options: IpmiOptions): BmcDriver {
  const { default_boot_mode, power_state_change_timeout_s = 60, soft_power_off_timeout_s = 600 } = options
  const ipmitool = createIpmitool(options.log, { ...IPMITOOL_TIMING, ...options.timing })
  /** Nodes whose next boot was set for once: ipmi_force_boot_device must not overrule that. A restart forgets it. */
  const setForOnce = new Set<string>()

  const open = (node: Node, signal: AbortSignal): Bmc => {
    const access = ipmiAccessOf(node)
    return { node, access, signal, run: (...commands) => ipmitool(access, commands, signal) }
  }
  const setBootDevice = async (bmc: Bmc, device: BootDevice, persistent: boolean) => {
    if (!IPMI_BOOT_DEVICES.includes(device)) throw new InvalidParameterValue(`Invalid boot device ${device} specified.`)
    const { force_boot_device, disable_boot_timeout } = bmc.access
    const boot_mode = bootModeOf(bmc.node, default_boot_mode)
    const vendor = String(bmc.node.properties.vendor ?? '').toLowerCase()
    await bmc.run(
      ...bootDeviceCommands({
        device,
        persistent: persistent && !force_boot_device,
        boot_mode,
        vendor,
        disable_boot_timeout,
      }),
    )
    if (persistent) setForOnce.delete(bmc.node.uuid)
    else setForOnce.add(bmc.node.uuid)
  }
  const turnOn = async (bmc: Bmc) => {
    const device = bmc.node.driver_internal_info.persistent_boot_device as BootDevice | undefined
    if (bmc.access.force_boot_device && device && !setForOnce.delete(bmc.node.uuid)) {
      await setBootDevice(bmc, device, true)
    }
    await turn(bmc, 'on', 'power on', power_state_change_timeout_s)
  }
  const turnOff = (bmc: Bmc) => turn(bmc, 'off', 'power off', power_state_change_timeout_s)
  const turnOffSoftly = (bmc: Bmc) => turn(bmc, 'soft', 'power off', soft_power_off_timeout_s)
  const reset = (bmc: Bmc) => turn(bmc, 'reset', 'power on', power_state_change_timeout_s)

  const POWER: Readonly<Record<PowerTarget, (bmc: Bmc) => Promise<void>>> = {
    'power on': turnOn,
    'power off': turnOff,
    'soft power off': turnOffSoftly,
    'soft rebooting': (bmc) => turnOffSoftly(bmc).then(() => turnOn(bmc)),
    rebooting: (bmc) => (bmc.node.disable_power_off ? reset(bmc) : turnOff(bmc).then(() => turnOn(bmc))),
  }
  return {
    name: 'ipmi',
    interfaces: { power: 'ipmitool', management: 'ipmitool' },
    properties: IPMI_PROPERTIES,
    supportedBootDevices: IPMI_BOOT_DEVICES,
    validate(node) {
      ipmiAccessOf(node)
      bootModeOf(node, default_boot_mode)
    },
    getPowerState: async (node, signal) => readPower(open(node, signal)),
    setPowerState: async (node, target, signal) => POWER[target](open(node, signal)),
    setBootDevice: async (node, device, persistent, signal) => setBootDevice(open(node, signal), device, persistent),
    bootDeviceToRemember: (node, device, persistent) =>
      persistent && ipmiAccessOf(node).force_boot_device ? { persistent_boot_device: device } : {},
    async getBootDevice(node, signal) {
      const bmc = open(node, signal)
      const remembered = node.driver_internal_info.persistent_boot_device as BootDevice | undefined
      if (bmc.access.force_boot_device && remembered && !setForOnce.has(node.uuid)) {
        return { boot_device: remembered, persistent: true }
      }
      return bootDeviceOf(await bmc.run('chassis bootparam get 5'))
    },
  }
}

async function readPower(bmc: Bmc): Promise<PowerState> {
  const answer = await bmc.run('power status')
  const state = answer.match(/^Chassis Power is (on|off)$/m)?.[1]
  if (state === 'on') return 'power on'
  if (state === 'off') return 'power off'
  throw new BmcFailure(
    `${bmcOf(bmc.access)} answered "${answer.slice(0, 100)}" when asked for its power state: expected on or off. Reset the BMC.`,
  )
}

/** Some BMCs refuse to turn off what is off: then there is nothing to do. */
async function turn(bmc: Bmc, word: 'on' | 'off' | 'soft' | 'reset', wanted: PowerState, timeout_s: number) {
  try {
    await bmc.run(`power ${word}`)
  } catch (error) {
    if (!(error instanceof BmcFailure) || word === 'reset') throw error
    if ((await readPower(bmc).catch(() => undefined)) !== wanted) throw error
    return
  }
  await waitForPower({ read: () => readPower(bmc), wanted, timeout_s, signal: bmc.signal, bmc: bmcOf(bmc.access) })
}
