/** The inspection by Redfish: the BMC is asked, and nothing is booted. Loaded with the first call. */
import type { InspectInterface } from '../../plugin-api/interfaces.ts'
import { REDFISH_BOUND_SECRETS, REDFISH_PROPERTIES } from '../redfish/access.ts'
import type { Redfish } from '../redfish/redfish.ts'

/** @source Ironic drivers/modules/redfish/inspect.py RedfishInspect */
export function redfishInspect({ at, validate }: Redfish): InspectInterface {
  const inventory = () => import('../redfish/inventory.ts')
  return {
    name: 'redfish',
    properties: REDFISH_PROPERTIES,
    boundSecrets: REDFISH_BOUND_SECRETS,
    validate: (task) => validate(task),
    inspectHardware: (task) =>
      at(task, async (bmc) => {
        const { propertiesOf, readInventory } = await inventory()
        return propertiesOf(await readInventory(bmc))
      }),
    readInventory: (task) => at(task, async (bmc) => (await inventory()).readInventory(bmc)),
  }
}
