/** The hooks by their names in [inspector] hooks. `extra-hardware` is not among them: no agent here brings its data. */
import { accelerators } from './accelerators.ts'
import { architecture } from './architecture.ts'
import { bootMode, cpuCapabilities, pciDevices } from './capabilities.ts'
import type { Hook } from './hook.ts'
import { localLinkConnection, parseLldp } from './neighbours.ts'
import { physicalNetwork } from './physical-network.ts'
import { ports } from './ports.ts'
import { raidDevice } from './raid-device.ts'
import { ramdiskError } from './ramdisk-error.ts'
import { rootDevice } from './root-device.ts'
import { cpus, memory } from './sizes.ts'
import { validateInterfaces } from './validate-interfaces.ts'

export const HOOKS: Readonly<Record<string, Hook>> = {
  accelerators,
  architecture,
  'boot-mode': bootMode,
  'cpu-capabilities': cpuCapabilities,
  cpus,
  'local-link-connection': localLinkConnection,
  memory,
  'parse-lldp': parseLldp,
  'pci-devices': pciDevices,
  'physical-network': physicalNetwork,
  ports,
  'raid-device': raidDevice,
  'ramdisk-error': ramdiskError,
  'root-device': rootDevice,
  'validate-interfaces': validateInterfaces,
}
