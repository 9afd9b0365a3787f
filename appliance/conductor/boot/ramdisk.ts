/** Whether a machine can boot from this box, and its deploy ramdisk. Asked before the machine is touched. */
import { PxeError } from '@appliance/pxe'
import { InvalidParameterValue, MissingParameterValue } from '../../errors.ts'
import type { ProcedureKind } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import { archOf, type BootParts } from './boot.ts'
import { layersFor } from './layers.ts'

/** @throws MissingParameterValue  nobody would know its machine. @source Ironic pxe_base._validate_common */
export function checkPorts({ store }: Pick<Parts, 'store'>, uuid: string): void {
  if (store.ports.where('node_uuid', uuid).length > 0) return
  throw new MissingParameterValue(`Node ${uuid} does not have any port associated with it.`)
}

export type RamdiskParts = BootParts & Pick<Parts, 'checkRamdisk'>

/**
 * @param procedure  for which the machine would boot the agent
 * @throws InvalidParameterValue  in the words that the machine's screen would show; what layersFor throws
 */
export async function validateRamdisk(parts: RamdiskParts, node: Node, procedure: ProcedureKind): Promise<void> {
  const layers = layersFor(parts, node, procedure)
  try {
    await parts.checkRamdisk?.({ layers, ...archOf(node) })
  } catch (error) {
    if (!(error instanceof PxeError)) throw error
    throw new InvalidParameterValue(error.message, { cause: error })
  }
}
