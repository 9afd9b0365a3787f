/** Firmware by Redfish: the BMC fetches the images itself. Loaded with the first call. */
import type { FirmwareInterface, InterfaceStep } from '../../plugin-api/interfaces.ts'
import { REDFISH_BOUND_SECRETS, REDFISH_PROPERTIES } from '../redfish/access.ts'
import type { Redfish } from '../redfish/redfish.ts'

/** @source Ironic drivers/modules/redfish/firmware.py RedfishFirmware */
export function redfishFirmware({ at, validate }: Redfish): FirmwareInterface {
  const firmware = () => import('../redfish/firmware.ts')
  const update: InterfaceStep = {
    step: 'update',
    of: ['clean', 'service'],
    priority: 0,
    argsInfo: {
      settings: {
        description: 'Firmware components: a list of {component, url}; bios, bmc or nic:NAME.',
        required: true,
      },
    },
    requiresAgent: true,
    async run(task, { settings }) {
      const { update, updatesIn } = await firmware()
      for (const wanted of updatesIn(settings)) {
        task.progress({ note: `updating firmware of ${wanted.component}` })
        await at(task, (bmc) => update(bmc, wanted))
      }
      // What was taken counts from the next start.
      if (!task.power.staysOn) await task.power.off()
      await task.boot.agent()
      return { wait: 'agent-boot', note: 'firmware is updated' }
    },
  }
  return {
    name: 'redfish',
    properties: REDFISH_PROPERTIES,
    boundSecrets: REDFISH_BOUND_SECRETS,
    validate: (task) => validate(task),
    getComponents: (task) => at(task, async (bmc) => (await firmware()).readComponents(bmc)),
    steps: [update],
  }
}
