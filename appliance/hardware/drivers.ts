/** The hardware types that [DEFAULT] enabled_hardware_types names. */
import { InvalidParameterValue } from '../errors.ts'
import type { Log } from '../log.ts'
import type { BootMode } from './boot-mode.ts'
import type { BmcDriver, BmcDrivers } from './driver.ts'
import { createFake } from './fake.ts'
import { createIpmi } from './ipmi.ts'

export type BmcDriversOptions = {
  enabled: readonly string[]
  log: Log
  /** [deploy] default_boot_mode. */
  default_boot_mode: BootMode
}

const HARDWARE_TYPES: Readonly<Record<string, (options: BmcDriversOptions) => BmcDriver>> = {
  ipmi: createIpmi,
  'fake-hardware': createFake,
}

/** @throws InvalidParameterValue  a hardware type that is not there */
export function createBmcDrivers(options: BmcDriversOptions): BmcDrivers {
  return new Map(
    options.enabled.map((name) => {
      const create = Object.hasOwn(HARDWARE_TYPES, name) ? HARDWARE_TYPES[name] : undefined
      if (create) return [name, create(options)]
      throw new InvalidParameterValue(
        `[DEFAULT] enabled_hardware_types names "${name}": expected some of ${Object.keys(HARDWARE_TYPES).join(', ')}.`,
      )
    }),
  )
}
