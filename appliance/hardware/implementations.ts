/** Every implementation that comes with the appliance, by interface type and name. */
import type { Log } from '../log.ts'
import type { Interfaces } from '../plugin-api/interfaces.ts'
import { fakeBios } from './bios/fake.ts'
import { noBios } from './bios/no-bios.ts'
import { redfishBios } from './bios/redfish.ts'
import { fakeBoot } from './boot/fake.ts'
import { ipxeBoot } from './boot/ipxe.ts'
import { redfishVirtualMediaBoot } from './boot/redfish-virtual-media.ts'
import type { Consoles } from './console/consoles.ts'
import { fakeConsole } from './console/fake.ts'
import { ipmitoolSocatConsole } from './console/ipmitool-socat.ts'
import { noConsole } from './console/no-console.ts'
import { fakeFirmware } from './firmware/fake.ts'
import { noFirmware } from './firmware/no-firmware.ts'
import { redfishFirmware } from './firmware/redfish.ts'
import { agentInspect } from './inspect/agent.ts'
import { fakeInspect } from './inspect/fake.ts'
import { noInspect } from './inspect/no-inspect.ts'
import { redfishInspect } from './inspect/redfish.ts'
import type { Ipmi } from './ipmi/ipmi.ts'
import { fakeManagement } from './management/fake.ts'
import { ipmitoolManagement } from './management/ipmitool.ts'
import { noopManagement } from './management/noop.ts'
import { redfishManagement } from './management/redfish.ts'
import { noopNetwork } from './network/noop.ts'
import { agentPower } from './power/agent.ts'
import { fakePower } from './power/fake.ts'
import { ipmitoolPower } from './power/ipmitool.ts'
import { redfishPower } from './power/redfish.ts'
import { agentRaid } from './raid/agent.ts'
import { fakeRaid } from './raid/fake.ts'
import { noRaid } from './raid/no-raid.ts'
import { redfishRaid } from './raid/redfish.ts'
import type { Redfish } from './redfish/redfish.ts'
import { agentRescue } from './rescue/agent.ts'
import { fakeRescue } from './rescue/fake.ts'
import { noRescue } from './rescue/no-rescue.ts'
import { fakeStorage } from './storage/fake.ts'
import { noopStorage } from './storage/noop.ts'
import { fakeVendor } from './vendor/fake.ts'
import { noVendor } from './vendor/no-vendor.ts'
import { redfishVendor } from './vendor/redfish.ts'

/** What several implementations have in common. */
type Shared = { log: Log; consoles: Consoles; ipmi: Ipmi; redfish: Redfish }
type Row<K extends keyof Interfaces> = Readonly<Record<string, (shared: Shared) => Interfaces[K]>>

export const IMPLEMENTATIONS = {
  bios: { fake: () => fakeBios, 'no-bios': () => noBios, redfish: ({ redfish }) => redfishBios(redfish) },
  boot: {
    fake: () => fakeBoot,
    ipxe: () => ipxeBoot,
    'redfish-virtual-media': ({ redfish }) => redfishVirtualMediaBoot(redfish),
  },
  console: {
    fake: () => fakeConsole,
    'ipmitool-socat': ({ ipmi, consoles }) => ipmitoolSocatConsole(ipmi, consoles),
    'no-console': () => noConsole,
  },
  firmware: {
    fake: () => fakeFirmware,
    'no-firmware': () => noFirmware,
    redfish: ({ redfish }) => redfishFirmware(redfish),
  },
  inspect: {
    agent: () => agentInspect,
    fake: () => fakeInspect,
    'no-inspect': () => noInspect,
    redfish: ({ redfish }) => redfishInspect(redfish),
  },
  management: {
    fake: () => fakeManagement,
    ipmitool: ({ ipmi }) => ipmitoolManagement(ipmi),
    noop: () => noopManagement,
    redfish: ({ redfish }) => redfishManagement(redfish),
  },
  network: { noop: () => noopNetwork },
  power: {
    agent: () => agentPower,
    fake: () => fakePower,
    ipmitool: ({ ipmi }) => ipmitoolPower(ipmi),
    redfish: ({ redfish }) => redfishPower(redfish),
  },
  raid: {
    agent: () => agentRaid,
    fake: () => fakeRaid,
    'no-raid': () => noRaid,
    redfish: ({ redfish }) => redfishRaid(redfish),
  },
  rescue: { agent: () => agentRescue, fake: () => fakeRescue, 'no-rescue': () => noRescue },
  storage: { fake: () => fakeStorage, noop: () => noopStorage },
  vendor: { fake: () => fakeVendor, 'no-vendor': () => noVendor, redfish: ({ redfish }) => redfishVendor(redfish) },
} as const satisfies { readonly [K in keyof Interfaces]: Row<K> }
