/** Hardware types for tests: all fakes, one of which may do as the test says. */
import type { Config } from '../../../appliance/config/options.ts'
import { createHardware, type Hardware } from '../../../appliance/hardware/hardware.ts'
import { createLog } from '../../../appliance/log.ts'
import type { ManagementInterface, PowerInterface } from '../../../appliance/plugin-api/interfaces.ts'

/** Laid over the power and management interfaces of every node. */
export type BmcOnPaper = Partial<PowerInterface & ManagementInterface>

export function hardwareOnPaper(config: Config, bmc: BmcOnPaper = {}): Hardware {
  const hardware = createHardware({ config, log: createLog('error', () => {}) })
  return {
    ...hardware,
    find(type, name) {
      const found = hardware.find(type, name)
      return found && (type === 'power' || type === 'management') ? { ...found, ...bmc } : found
    },
  }
}
