/**
 * Boot device and boot mode, Secure Boot, NMI, indicators, sensors and virtual media by Redfish. What speaks to the BMC
 * is loaded with the first call.
 */
import type { InterfaceStep, ManagementInterface } from '../../plugin-api/interfaces.ts'
import { REDFISH_BOUND_SECRETS, REDFISH_PROPERTIES } from '../redfish/access.ts'
import { REDFISH_BOOT_DEVICES } from '../redfish/boot-devices.ts'
import type { Redfish } from '../redfish/redfish.ts'
import type { KeysReset } from '../redfish/secure-boot.ts'

const boot = () => import('../redfish/boot-override.ts')
const power = () => import('../redfish/power.ts')
const secureBoot = () => import('../redfish/secure-boot.ts')
const indicators = () => import('../redfish/indicators.ts')
const sensors = () => import('../redfish/sensors.ts')
const media = () => import('../redfish/virtual-media.ts')

/** @source Ironic drivers/modules/redfish/management.py RedfishManagement */
export function redfishManagement(redfish: Redfish): ManagementInterface {
  const { at } = redfish
  return {
    name: 'redfish',
    properties: REDFISH_PROPERTIES,
    boundSecrets: REDFISH_BOUND_SECRETS,
    supportedBootDevices: REDFISH_BOOT_DEVICES,
    validate: (task) => redfish.validate(task),
    getBootDevice: (task) => at(task, async (bmc) => (await boot()).getBootDevice(bmc)),
    setBootDevice: (task, device, persistent) =>
      at(task, async (bmc) => (await boot()).setBootDevice(bmc, device, persistent)),
    getSupportedBootModes: async () => ['bios', 'uefi'],
    getBootMode: (task) => at(task, async (bmc) => (await boot()).getBootMode(bmc)),
    setBootMode: (task, mode) => at(task, async (bmc) => (await boot()).setBootMode(bmc, mode)),
    getSecureBoot: (task) => at(task, async (bmc) => (await secureBoot()).getSecureBoot(bmc)),
    setSecureBoot: (task, isOn) => at(task, async (bmc) => (await secureBoot()).setSecureBoot(bmc, isOn)),
    injectNmi: (task) => at(task, async (bmc) => (await power()).injectNmi(bmc)),
    getIndicators: (task) => at(task, async (bmc) => (await indicators()).getIndicators(bmc)),
    getIndicatorState: (task, component, name) =>
      at(task, async (bmc) => (await indicators()).getIndicatorState(bmc, component, name)),
    setIndicatorState: (task, indicator, state) =>
      at(task, async (bmc) => (await indicators()).setIndicatorState(bmc, indicator, state)),
    getSensors: (task) => at(task, async (bmc) => (await sensors()).readSensors(bmc)),
    attachVirtualMedia: (task, device, image) =>
      at(task, async (bmc) => (await media()).attach(bmc, device, image.href)),
    detachVirtualMedia: (task, devices) => at(task, async (bmc) => (await media()).detach(bmc, devices)),
    steps: [
      keysStep(redfish, 'reset_secure_boot_keys_to_default', { of: ['clean'], reset: 'ResetAllKeysToDefault' }),
      keysStep(redfish, 'clear_secure_boot_keys', { of: ['clean', 'deploy'], reset: 'DeleteAllKeys' }),
    ],
  }
}

type KeysStep = { of: InterfaceStep['of']; reset: KeysReset }

/** It counts from the next boot. @source Ironic management.py, steps of the same names */
const keysStep = ({ at }: Redfish, step: string, { of, reset }: KeysStep): InterfaceStep => ({
  step,
  of,
  priority: 0,
  again: true,
  async run(task) {
    await at(task, async (bmc) => (await secureBoot()).resetKeys(bmc, reset))
    return { done: true }
  },
})
