/** How the `no-...` implementations refuse: in Ironic's words for a driver without such an interface. */
import { UnsupportedDriverExtension } from '../errors.ts'
import type { InterfaceTask } from '../plugin-api/interfaces.ts'

/** @throws UnsupportedDriverExtension  always @source Ironic drivers/modules/noop.py */
export function refuse({ node }: Pick<InterfaceTask, 'node'>, type: string): never {
  throw new UnsupportedDriverExtension(node.driver, type)
}
