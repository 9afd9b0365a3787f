/** Whether a machine may stay in the boot of one procedure for the next: fast track. Looks at no machine. */
import { readBoolean } from '@appliance/ground/booleans'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'

/** @source Ironic common/utils.py fast_track_enabled */
export const isFastTracked = ({ config }: Pick<Parts, 'config'>, { driver_info }: Pick<Node, 'driver_info'>): boolean =>
  readBoolean(driver_info.fast_track) ?? config.deploy.fast_track
