/** properties/cpu_arch. @source Ironic hooks/architecture.py */
import { type Hook, InvalidNodeInventory, memberOf, textIn } from './hook.ts'

export const architecture: Hook = {
  run({ node, inventory, properties }) {
    const cpu_arch = textIn(memberOf(inventory, 'cpu').architecture)
    if (cpu_arch === undefined) {
      throw new InvalidNodeInventory(node, 'Inventory has malformed or missing CPU architecture information')
    }
    properties.cpu_arch = cpu_arch
  },
}
