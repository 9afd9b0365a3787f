/**
 * [DEFAULT] enabled_<type>_interfaces and default_<type>_interface of each interface type but deploy, whose
 * implementations are plugins.
 */
import type { Options } from '../plugin-api/index.ts'

/**
 * Which are enabled when nobody says: what a machine without anything special needs. Empty: the first that each enabled
 * hardware type allows.
 */
const ENABLED = {
  bios: ['no-bios'],
  boot: ['ipxe'],
  console: ['no-console'],
  firmware: ['no-firmware'],
  inspect: ['no-inspect'],
  management: [],
  network: ['noop'],
  power: [],
  raid: ['agent', 'no-raid'],
  rescue: ['no-rescue'],
  storage: ['noop'],
  vendor: ['no-vendor'],
} as const satisfies Record<string, readonly string[]>

type Type = keyof typeof ENABLED
type Enabled = { section: 'DEFAULT'; type: 'list'; default: readonly string[]; help: string }
type Default = { section: 'DEFAULT'; type: 'string'; help: string }
type Table = { [K in Type as `enabled_${K}_interfaces`]: Enabled } & {
  [K in Type as `default_${K}_interface`]: Default
}

const entries = Object.entries(ENABLED).flatMap(([type, names]): [string, Enabled | Default][] => [
  [
    `enabled_${type}_interfaces`,
    {
      section: 'DEFAULT',
      type: 'list',
      default: names,
      help: `Implementations of ${type} that nodes may name. Empty: the first that each enabled hardware type allows.`,
    },
  ],
  [
    `default_${type}_interface`,
    {
      section: 'DEFAULT',
      type: 'string',
      help: `Implementation of ${type} for nodes that name none; the first enabled one that their hardware type allows when not set.`,
    },
  ],
])
export const interfaces = Object.fromEntries(entries) as Table satisfies Options
