/** Every implementation that comes with the appliance, by interface type and name. */
import type { Log } from '../log.ts'
import type { Interfaces } from '../plugin-api/interfaces.ts'
import { noBios } from './bios/no-bios.ts'
import { fakeBoot } from './boot/fake.ts'
import { ipxeBoot } from './boot/ipxe.ts'
import { noConsole } from './console/no-console.ts'
import { noFirmware } from './firmware/no-firmware.ts'
import { noInspect } from './inspect/no-inspect.ts'
import type { Ipmi } from './ipmi/ipmi.ts'
import { fakeManagement } from './management/fake.ts'
import { ipmitoolManagement } from './management/ipmitool.ts'
import { noopManagement } from './management/noop.ts'
import { noopNetwork } from './network/noop.ts'
import { fakePower } from './power/fake.ts'
import { ipmitoolPower } from './power/ipmitool.ts'
import { noRaid } from './raid/no-raid.ts'
import { noRescue } from './rescue/no-rescue.ts'
import { fakeStorage } from './storage/fake.ts'
import { noopStorage } from './storage/noop.ts'
import { noVendor } from './vendor/no-vendor.ts'

/** What several implementations have in common. */
export type Shared = { log: Log; ipmi: Ipmi }
type Row<K extends keyof Interfaces> = Readonly<Record<string, (shared: Shared) => Interfaces[K]>>

export const IMPLEMENTATIONS = {
  bios: { 'no-bios': () => noBios },
  boot: { fake: () => fakeBoot, ipxe: () => ipxeBoot },
  console: { 'no-console': () => noConsole },
  firmware: { 'no-firmware': () => noFirmware },
  inspect: { 'no-inspect': () => noInspect },
  management: {
    fake: () => fakeManagement,
    ipmitool: ({ ipmi }) => ipmitoolManagement(ipmi),
    noop: () => noopManagement,
  },
  network: { noop: () => noopNetwork },
  power: { fake: () => fakePower, ipmitool: ({ ipmi }) => ipmitoolPower(ipmi) },
  raid: { 'no-raid': () => noRaid },
  rescue: { 'no-rescue': () => noRescue },
  storage: { fake: () => fakeStorage, noop: () => noopStorage },
  vendor: { 'no-vendor': () => noVendor },
} as const satisfies { readonly [K in keyof Interfaces]: Row<K> }
