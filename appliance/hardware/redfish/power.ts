/** Power by Redfish, as Ironic does it, and with what a BMC says that it takes. */
import { BmcFailure } from '../../errors.ts'
import type { PowerState, PowerTarget } from '../../plugin-api/interfaces.ts'
import { waitForPower } from '../wait-for-power.ts'
import { actionOf, type Bmc } from './bmc.ts'
import { restoreBootDevice } from './boot-override.ts'
import type { Resource } from './client.ts'
import { RedfishFailure } from './failure.ts'
import { textAt } from './members.ts'

const RESET = '#ComputerSystem.Reset'
/** @source Ironic drivers/modules/redfish/power.py GET_POWER_STATE_MAP */
const STATES: Readonly<Record<string, PowerState>> = {
  On: 'power on',
  PoweringOn: 'power on',
  Off: 'power off',
  PoweringOff: 'power off',
}
/** By what they do, the first that the BMC takes. @source ibid. SET_POWER_STATE_MAP; the later ones are ours */
const RESET_TYPES = {
  on: ['On', 'ForceOn'],
  off: ['ForceOff'],
  reset: ['ForceRestart', 'PowerCycle', 'FullPowerCycle'],
  'soft off': ['GracefulShutdown', 'PushPowerButton'],
  'soft reset': ['GracefulRestart'],
} as const
type Deed = keyof typeof RESET_TYPES
const REACHES: Readonly<Record<Deed, PowerState>> = {
  on: 'power on',
  off: 'power off',
  reset: 'power on',
  'soft off': 'power off',
  'soft reset': 'power on',
}

const powerIn = ({ body }: Resource): PowerState | null => STATES[textAt(body, 'PowerState') ?? ''] ?? null

export const readPower = async (bmc: Bmc): Promise<PowerState | null> => powerIn(await bmc.system())

/** @source Ironic drivers/modules/redfish/power.py set_power_state, reboot */
export async function setPower(bmc: Bmc, target: PowerTarget): Promise<void> {
  const system = await bmc.system()
  const isOn = powerIn(system) === 'power on'
  if (target === 'power off' || target === 'soft power off') {
    return isOn || powerIn(system) === null ? turn(bmc, system, target === 'power off' ? 'off' : 'soft off') : undefined
  }
  if (target === 'power on') {
    if (!isOn) await turnOn(bmc, system)
    return
  }
  if (!isOn) return turnOn(bmc, system)
  if (target === 'rebooting' && !bmc.node.disable_power_off) {
    await turn(bmc, system, 'off')
    return turnOn(bmc, system)
  }
  return restart(bmc, system, target === 'rebooting' ? 'reset' : 'soft reset')
}

async function turnOn(bmc: Bmc, system: Resource): Promise<void> {
  await restoreBootDevice(bmc, system)
  await turn(bmc, system, 'on')
}

/** One that cannot be restarted softly is shut down and started. */
async function restart(bmc: Bmc, system: Resource, deed: 'reset' | 'soft reset'): Promise<void> {
  const { type } = await resetFor(bmc, system, deed)
  if (type === undefined && deed === 'soft reset' && !bmc.node.disable_power_off) {
    await turn(bmc, system, 'soft off')
    return turnOn(bmc, system)
  }
  await restoreBootDevice(bmc, system)
  return turn(bmc, system, deed)
}

/** `type`: undefined when the BMC takes none that would do. */
async function resetFor(bmc: Bmc, system: Resource, deed: Deed) {
  const { target, allowed } = await actionOf(bmc, system, { action: RESET, parameter: 'ResetType' })
  const types: readonly string[] = RESET_TYPES[deed]
  return { target, allowed, type: allowed === undefined ? types[0] : types.find((each) => allowed.includes(each)) }
}

async function turn(bmc: Bmc, system: Resource, deed: Deed): Promise<void> {
  const { target, type, allowed = [] } = await resetFor(bmc, system, deed)
  if (type === undefined) {
    throw bmc.failure(
      `takes none of ${RESET_TYPES[deed].join(', ')} as ResetType for "${deed}": it takes ${allowed.join(', ')}.`,
    )
  }
  const wanted = REACHES[deed]
  try {
    await resetInTime(bmc, target, type)
  } catch (error) {
    if (!(await isThereAnyway(bmc, error, wanted))) throw error
    return
  }
  const timeout_s = deed === 'soft off' ? bmc.soft_power_off_timeout_s : bmc.power_state_change_timeout_s
  const read = async () => (await readPower(bmc)) ?? 'error'
  await waitForPower({ read, wanted, timeout_s, signal: bmc.signal, bmc: bmc.name, longest_pause_ms: 1_000 })
}

/**
 * Some BMCs refuse "On" for up to a minute after a power off.
 * @source Ironic [redfish] power_on_conflict_retry_attempts (Dell iDRAC10)
 */
async function resetInTime(bmc: Bmc, target: string, type: string): Promise<void> {
  const { power_on_conflict_retry_attempts: retries, power_on_conflict_retry_interval: interval_s } = bmc.config
  for (let attempt = 0; ; attempt++) {
    try {
      await bmc.post(target, { ResetType: type })
      return
    } catch (error) {
      const isConflict =
        error instanceof RedfishFailure && error.status === 409 && error.names('ActionParameterValueConflict')
      if (type !== 'On' || !isConflict || attempt >= retries) throw error
      bmc.log.warn('the BMC refuses to power on for now', { node: bmc.node.uuid, attempt, reason: error.message })
      await bmc.pause(interval_s)
    }
  }
}

/** Some BMCs refuse to turn off what is off. @source Ironic drivers/modules/redfish/power.py, 400 and 409 */
async function isThereAnyway(bmc: Bmc, error: unknown, wanted: PowerState): Promise<boolean> {
  if (!(error instanceof RedfishFailure) || (error.status !== 400 && error.status !== 409)) return false
  const found = await readPower(bmc).catch((second) => {
    if (second instanceof BmcFailure) return null
    throw second
  })
  if (found !== null) return found === wanted
  return new RegExp(`(?:host is|already) powered ${wanted === 'power on' ? 'on' : 'off'}`, 'i').test(error.message)
}

/** @source Ironic drivers/modules/redfish/management.py inject_nmi */
export async function injectNmi(bmc: Bmc): Promise<void> {
  const { target, allowed } = await actionOf(bmc, await bmc.system(), { action: RESET, parameter: 'ResetType' })
  if (allowed !== undefined && !allowed.includes('Nmi')) {
    throw bmc.failure(`sends no NMI: as ResetType it takes ${allowed.join(', ')}.`)
  }
  await bmc.post(target, { ResetType: 'Nmi' })
}
