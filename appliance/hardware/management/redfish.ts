/** Boot device and boot mode by Redfish. What speaks to the BMC is loaded with the first call. */
import type { ManagementInterface } from '../../plugin-api/interfaces.ts'
import { REDFISH_BOUND_SECRETS, REDFISH_PROPERTIES } from '../redfish/access.ts'
import { REDFISH_BOOT_DEVICES } from '../redfish/boot-devices.ts'
import type { Redfish } from '../redfish/redfish.ts'

/** @source Ironic drivers/modules/redfish/management.py RedfishManagement */
export function redfishManagement(redfish: Redfish): ManagementInterface {
  const boot = () => import('../redfish/boot-override.ts')
  return {
    name: 'redfish',
    properties: REDFISH_PROPERTIES,
    boundSecrets: REDFISH_BOUND_SECRETS,
    supportedBootDevices: REDFISH_BOOT_DEVICES,
    validate: (task) => redfish.validate(task),
    getBootDevice: (task) => redfish.at(task, async (bmc) => (await boot()).getBootDevice(bmc)),
    setBootDevice: (task, device, persistent) =>
      redfish.at(task, async (bmc) => (await boot()).setBootDevice(bmc, device, persistent)),
    getSupportedBootModes: async () => ['bios', 'uefi'],
    getBootMode: (task) => redfish.at(task, async (bmc) => (await boot()).getBootMode(bmc)),
    setBootMode: (task, mode) => redfish.at(task, async (bmc) => (await boot()).setBootMode(bmc, mode)),
  }
}
