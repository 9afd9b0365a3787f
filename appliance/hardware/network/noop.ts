/** The one network that a rack has: machines stay on it. */
import type { NetworkInterface } from '../../plugin-api/interfaces.ts'

/** @source Ironic drivers/modules/network/noop.py */
export const noopNetwork: NetworkInterface = { name: 'noop', validate() {} }
