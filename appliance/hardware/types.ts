/**
 * The hardware types: a row for each, with the implementations that it allows for each interface type, in order of
 * preference. Deploy interfaces are plugins, and have no list. @source Ironic drivers/generic.py, ipmi.py,
 * fake_hardware.py
 */
import type { IMPLEMENTATIONS } from './implementations.ts'

type Table = typeof IMPLEMENTATIONS
export type Allowed = { readonly [K in keyof Table]: readonly (keyof Table[K])[] }
const GENERIC = {
  bios: ['no-bios'],
  boot: ['ipxe'],
  console: ['no-console'],
  firmware: ['no-firmware'],
  inspect: ['agent', 'no-inspect'],
  network: ['noop'],
  raid: ['no-raid', 'agent'],
  rescue: ['no-rescue', 'agent'],
  storage: ['noop'],
  vendor: ['no-vendor'],
} as const

/** What plain Redfish serves. */
const REDFISH = {
  ...GENERIC,
  bios: ['redfish', 'no-bios'],
  boot: ['ipxe', 'redfish-virtual-media'],
  firmware: ['redfish', 'no-firmware'],
  inspect: ['redfish', ...GENERIC.inspect],
  raid: ['redfish', ...GENERIC.raid],
  vendor: ['redfish', 'no-vendor'],
  management: ['redfish', 'noop'],
  power: ['redfish'],
} as const

/** Ironic lets fake-hardware have any implementation; here it is held to its own lists, as every other. */
export const HARDWARE_TYPES: Readonly<Record<string, Allowed>> = {
  ipmi: {
    ...GENERIC,
    console: ['no-console', 'ipmitool-socat'],
    management: ['ipmitool', 'noop'],
    power: ['ipmitool'],
  },
  'fake-hardware': {
    bios: ['fake', 'no-bios'],
    boot: ['fake', 'ipxe'],
    console: ['fake', 'no-console'],
    firmware: ['fake', 'no-firmware'],
    inspect: ['fake', 'agent', 'no-inspect'],
    management: ['fake'],
    network: ['noop'],
    power: ['fake'],
    raid: ['fake', 'no-raid', 'agent'],
    rescue: ['fake', 'no-rescue', 'agent'],
    storage: ['fake', 'noop'],
    vendor: ['fake', 'no-vendor'],
  },
  idrac: REDFISH,
  ilo: REDFISH,
  'manual-management': { ...GENERIC, management: ['noop', 'fake'], power: ['agent', 'fake'] },
  redfish: REDFISH,
}
