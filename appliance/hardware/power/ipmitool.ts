/** Power by IPMI, as Ironic's ipmitool interface does it, but without its pauses of seconds. */
import { BmcFailure } from '../../errors.ts'
import type { PowerInterface, PowerState, PowerTarget } from '../../plugin-api/interfaces.ts'
import { IPMI_BOUND_SECRETS, IPMI_PROPERTIES } from '../ipmi/access.ts'
import { bmcOf } from '../ipmi/failure.ts'
import type { Bmc, Ipmi } from '../ipmi/ipmi.ts'
import { waitForPower } from '../wait-for-power.ts'

/** @source Ironic drivers/modules/ipmitool.py IPMIPower */
export function ipmitoolPower(ipmi: Ipmi): PowerInterface {
  const turnOn = async (bmc: Bmc) => {
    const device = ipmi.forcedBootDevice(bmc)
    if (device) await ipmi.setBootDevice(bmc, device, true)
    else ipmi.useUp(bmc)
    await turn(bmc, 'on', 'power on', ipmi.power_state_change_timeout_s)
  }
  const turnOff = (bmc: Bmc) => turn(bmc, 'off', 'power off', ipmi.power_state_change_timeout_s)
  const turnOffSoftly = (bmc: Bmc) => turn(bmc, 'soft', 'power off', ipmi.soft_power_off_timeout_s)
  const reset = (bmc: Bmc) => turn(bmc, 'reset', 'power on', ipmi.power_state_change_timeout_s)

  const POWER: Readonly<Record<PowerTarget, (bmc: Bmc) => Promise<void>>> = {
    'power on': turnOn,
    'power off': turnOff,
    'soft power off': turnOffSoftly,
    'soft rebooting': (bmc) => turnOffSoftly(bmc).then(() => turnOn(bmc)),
    rebooting: (bmc) => (bmc.node.disable_power_off ? reset(bmc) : turnOff(bmc).then(() => turnOn(bmc))),
  }
  return {
    name: 'ipmitool',
    properties: IPMI_PROPERTIES,
    boundSecrets: IPMI_BOUND_SECRETS,
    validate: (task) => ipmi.validate(task),
    getPowerState: async (task) => readPower(ipmi.open(task)),
    setPowerState: async (task, target) => POWER[target](ipmi.open(task)),
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
