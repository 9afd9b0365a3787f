/** The boot device by IPMI, as Ironic's ipmitool interface sets it. */
import type { ManagementInterface } from '../../plugin-api/interfaces.ts'
import { IPMI_BOUND_SECRETS, IPMI_PROPERTIES } from '../ipmi/access.ts'
import { bootDeviceOf, IPMI_BOOT_DEVICES } from '../ipmi/boot-device.ts'
import type { Ipmi } from '../ipmi/ipmi.ts'

/** @source Ironic drivers/modules/ipmitool.py IPMIManagement */
export function ipmitoolManagement(ipmi: Ipmi): ManagementInterface {
  return {
    name: 'ipmitool',
    properties: IPMI_PROPERTIES,
    boundSecrets: IPMI_BOUND_SECRETS,
    supportedBootDevices: IPMI_BOOT_DEVICES,
    validate: (task) => ipmi.validate(task),
    async getBootDevice(task) {
      const bmc = ipmi.open(task)
      const forced = ipmi.forcedBootDevice(bmc)
      return forced ? { boot_device: forced, persistent: true } : bootDeviceOf(await bmc.run('chassis bootparam get 5'))
    },
    async setBootDevice(task, device, persistent) {
      const bmc = ipmi.open(task)
      await ipmi.setBootDevice(bmc, device, persistent)
      if (persistent && bmc.access.force_boot_device) await task.remember({ persistent_boot_device: device })
    },
  }
}
