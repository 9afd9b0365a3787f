/** What is asked of a cleaning, as the node's record keeps it. */

import type { InternalChange } from '../../records/kinds/internal-info.ts'
import type { Node } from '../../records/kinds/node.ts'
import { type PluginParts, pluginOf } from '../plugin/plugin-of.ts'
import { type ProvisionRequest, parseAskedSteps } from '../procedures/request.ts'

/** The change of driver_internal_info. @throws InvalidParameterValue */
export const cleanRequest = ({ clean_steps = [], disable_ramdisk }: ProvisionRequest): InternalChange => ({
  user_clean_steps: parseAskedSteps('clean_steps', 'asked', clean_steps),
  cleaning_disable_ramdisk: disable_ramdisk === true ? true : undefined,
})

/**
 * The steps of this cleaning need no agent.
 * @throws InvalidParameterValue  the node's deploy interface is not loaded
 */
export const withoutRamdisk = (parts: PluginParts, node: Node): boolean =>
  node.driver_internal_info.cleaning_disable_ramdisk === true || pluginOf(parts, node).hasMachine === false
