/** The hooks by their names in [inspector] hooks. */
import { architecture } from './architecture.ts'
import type { Hook } from './hook.ts'
import { ports } from './ports.ts'
import { ramdiskError } from './ramdisk-error.ts'
import { validateInterfaces } from './validate-interfaces.ts'

export const HOOKS: Readonly<Record<string, Hook>> = {
  architecture,
  ports,
  'ramdisk-error': ramdiskError,
  'validate-interfaces': validateInterfaces,
}
