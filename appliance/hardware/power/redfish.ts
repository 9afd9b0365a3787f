/** Power by Redfish. What speaks to the BMC is loaded with the first call. */
import type { PowerInterface } from '../../plugin-api/interfaces.ts'
import { REDFISH_BOUND_SECRETS, REDFISH_PROPERTIES } from '../redfish/access.ts'
import type { Redfish } from '../redfish/redfish.ts'

/** @source Ironic drivers/modules/redfish/power.py RedfishPower */
export function redfishPower(redfish: Redfish): PowerInterface {
  const power = () => import('../redfish/power.ts')
  return {
    name: 'redfish',
    properties: REDFISH_PROPERTIES,
    boundSecrets: REDFISH_BOUND_SECRETS,
    validate: (task) => redfish.validate(task),
    getPowerState: (task) => redfish.at(task, async (bmc) => (await power()).readPower(bmc)),
    setPowerState: (task, target) => redfish.at(task, async (bmc) => (await power()).setPower(bmc, target)),
  }
}
