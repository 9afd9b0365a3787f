/** Whether a machine can boot the deploy ramdisk that this box has. Asked before the machine is touched. */
import { PxeError } from '@appliance/pxe'
import { InvalidParameterValue } from '../../errors.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import { archOf, layersFor } from './boot.ts'

/**
 * @param o.cleans  a cleaning needs no layers
 * @throws InvalidParameterValue  in the words that the machine's screen would show; what layersFor throws
 */
export async function validateRamdisk(parts: Parts, node: Node, { cleans = false } = {}): Promise<void> {
  const layers = cleans ? [] : layersFor(parts, node)
  try {
    await parts.checkRamdisk?.({ layers, ...archOf(node) })
  } catch (error) {
    if (!(error instanceof PxeError)) throw error
    throw new InvalidParameterValue(error.message, { cause: error })
  }
}
