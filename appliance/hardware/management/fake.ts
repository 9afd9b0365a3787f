/** The management of a machine that is only a record. What it is set to is kept in driver_internal_info. */
import { InvalidParameterValue } from '../../errors.ts'
import type {
  BootDevice,
  BootMode,
  IndicatorComponent,
  IndicatorState,
  Indicators,
  InterfaceTask,
  ManagementInterface,
  VirtualMedia,
} from '../../plugin-api/interfaces.ts'

const DEVICES: readonly BootDevice[] = ['pxe']
const INDICATORS = {
  chassis: { 'led-0': { readonly: true, states: ['off', 'on'] } },
  system: { led: { readonly: false, states: ['blinking', 'off', 'on'] } },
} as const satisfies Indicators

/** What Ironic's cannot do (boot mode, Secure Boot, NMI, virtual media), this one can, so that it can be tried out. */
type Kept = {
  fake_boot_mode?: BootMode
  fake_secure_boot?: boolean
  fake_indicators?: Readonly<Record<string, IndicatorState>>
  fake_virtual_media?: Readonly<Record<string, string>>
}
const keptOf = ({ node }: InterfaceTask): Kept => node.driver_internal_info as Kept
const indicatorKey = (component: IndicatorComponent, name: string) => `${component}/${name}`

const shownMedia = ([device, image]: [string, string]): VirtualMedia => ({
  identity: device,
  media_types: [device],
  inserted: true,
  image,
  image_name: image.split('/').pop() ?? '',
  transfer_method: null,
  write_protected: true,
})

/** @source Ironic drivers/modules/fake.py FakeManagement */
export const fakeManagement: ManagementInterface = {
  name: 'fake',
  supportedBootDevices: DEVICES,
  validate() {},
  getBootDevice: async () => ({ boot_device: 'pxe', persistent: false }),
  async setBootDevice(_task, device) {
    if (!DEVICES.includes(device)) throw new InvalidParameterValue(`Invalid boot device ${device} specified.`)
  },
  getSupportedBootModes: async () => ['bios', 'uefi'],
  getBootMode: async (task) => keptOf(task).fake_boot_mode ?? 'uefi',
  setBootMode: (task, fake_boot_mode) => task.remember({ fake_boot_mode }),
  getSecureBoot: async (task) => keptOf(task).fake_secure_boot ?? false,
  setSecureBoot: (task, fake_secure_boot) => task.remember({ fake_secure_boot }),
  async injectNmi() {},
  getIndicators: async () => INDICATORS,
  getIndicatorState: async (task, component, name) =>
    keptOf(task).fake_indicators?.[indicatorKey(component, name)] ?? 'on',
  setIndicatorState: (task, { component, name }, state) =>
    task.remember({ fake_indicators: { ...keptOf(task).fake_indicators, [indicatorKey(component, name)]: state } }),
  getSensors: async () => ({}),
  getVirtualMedia: async (task) => Object.entries(keptOf(task).fake_virtual_media ?? {}).map(shownMedia),
  attachVirtualMedia: (task, device, image) =>
    task.remember({ fake_virtual_media: { ...keptOf(task).fake_virtual_media, [device]: image.href } }),
  async detachVirtualMedia(task, devices) {
    const left = Object.entries(keptOf(task).fake_virtual_media ?? {}).filter(
      ([device]) => devices !== undefined && !(devices as readonly string[]).includes(device),
    )
    await task.remember({ fake_virtual_media: left.length > 0 ? Object.fromEntries(left) : undefined })
  },
}
