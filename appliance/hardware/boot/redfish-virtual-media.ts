/**
 * The machine boots the deploy ramdisk from a CD drive that its BMC shows it: the BMC fetches the ISO from this box.
 * Needs neither DHCP nor TFTP.
 */
import { InvalidParameterValue } from '../../errors.ts'
import type { BootInterface, InterfaceTask } from '../../plugin-api/interfaces.ts'
import { REDFISH_BOUND_SECRETS, REDFISH_PROPERTIES } from '../redfish/access.ts'
import type { Redfish } from '../redfish/redfish.ts'

const PROPERTIES = {
  ...REDFISH_PROPERTIES,
  external_http_url:
    'Address of this box as the BMC reaches it, in the place of [deploy] http_url, for the ISO that the BMC fetches. Optional.',
} as const

/** @source Ironic drivers/modules/redfish/boot.py RedfishVirtualMediaBoot */
export function redfishVirtualMediaBoot({ at, validate }: Redfish): BootInterface {
  const media = () => import('../redfish/virtual-media.ts')
  return {
    name: 'redfish-virtual-media',
    properties: PROPERTIES,
    boundSecrets: REDFISH_BOUND_SECRETS,
    bootsFromNetwork: false,
    validate(task) {
      validate(task)
      checkExternalUrl(task)
    },
    async prepareRamdisk(task) {
      const iso = await task.deployIso()
      await at(task, async (bmc) => (await media()).attach(bmc, 'cdrom', iso.href))
      await task.bootFrom('cdrom', { persistent: false })
    },
    cleanUpRamdisk: (task) => at(task, async (bmc) => (await media()).detach(bmc, ['cdrom'])),
  }
}

/** @throws InvalidParameterValue */
function checkExternalUrl({ node: { uuid, driver_info } }: Pick<InterfaceTask, 'node'>): void {
  const given = driver_info.external_http_url
  if (given === undefined || given === null) return
  if (typeof given === 'string' && /^https?:\/\//.test(given) && URL.canParse(given)) return
  throw new InvalidParameterValue(
    `driver_info/external_http_url of node ${uuid} is ${JSON.stringify(given)}: expected an http(s) address.`,
  )
}
