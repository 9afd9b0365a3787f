/** Hooks that set one property each: what the machine has of CPUs and memory. */
import { type Hook, InvalidNodeInventory, memberOf, numberIn } from './hook.ts'

/** @source Ironic hooks/cpus.py */
export const cpus: Hook = {
  run({ inventory, properties, warn }) {
    const count = numberIn(memberOf(inventory, 'cpu').count)
    if (count !== undefined && Number.isSafeInteger(count) && count > 0) properties.cpus = count
    else warn('no number of CPUs is told')
  },
}

/** @source Ironic hooks/memory.py */
export const memory: Hook = {
  run({ node, inventory, properties }) {
    const { physical_mb } = memberOf(inventory, 'memory')
    if (typeof physical_mb !== 'number' || !Number.isSafeInteger(physical_mb)) {
      throw new InvalidNodeInventory(node, 'Inventory has missing memory information')
    }
    properties.memory_mb = physical_mb
  },
}
