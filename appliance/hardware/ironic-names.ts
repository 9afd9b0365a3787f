/**
 * The names of Ironic's hardware types and implementations. They tell one that this appliance does not have from a
 * typing error. Deploy interfaces are plugins, and not here.
 * @source Ironic pyproject.toml, the entry points ironic.hardware.types and ironic.hardware.interfaces.*
 */
import type { IMPLEMENTATIONS } from './implementations.ts'

const NAMES = {
  hardware_types: 'fake-hardware idrac ilo ilo5 intel-ipmi ipmi irmc manual-management redfish snmp',
  bios: 'fake idrac-redfish ilo irmc no-bios redfish',
  boot: `fake http http-ipxe idrac-redfish-virtual-media ilo-ipxe ilo-pxe ilo-uefi-https ilo-virtual-media ipxe
    irmc-pxe irmc-virtual-media pxe redfish-https redfish-virtual-media`,
  console: 'fake fake-graphical ilo ipmitool-shellinabox ipmitool-socat no-console redfish-graphical',
  firmware: 'fake no-firmware redfish',
  inspect: 'agent fake idrac-redfish ilo irmc no-inspect redfish',
  management: 'fake idrac-redfish ilo ilo5 intel-ipmitool ipmitool irmc noop redfish',
  network: 'flat neutron noop',
  power: 'agent fake idrac-redfish ilo ipmitool irmc redfish snmp',
  raid: 'agent fake idrac-redfish ilo5 irmc no-raid redfish',
  rescue: 'agent fake no-rescue',
  storage: 'cinder external fake noop',
  vendor: 'fake idrac-redfish ilo ipmitool irmc no-vendor redfish',
} as const satisfies Readonly<Record<keyof typeof IMPLEMENTATIONS | 'hardware_types', string>>

export const isIronics = (of: keyof typeof NAMES, name: string): boolean => NAMES[of].split(/\s+/).includes(name)
