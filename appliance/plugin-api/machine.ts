/** What interfaces tell of a machine, and are told of it: values by Ironic's names. Types only. */
import type { Json } from './index.ts'

/** @source Ironic common/boot_devices.py */
export type BootDevice = 'disk' | 'pxe' | 'cdrom' | 'bios' | 'safe'
/** @source Ironic common/boot_modes.py */
export type BootMode = 'bios' | 'uefi'
/** What an image can be attached as. @source Ironic common/boot_devices.py VMEDIA_DEVICES */
export type VirtualMediaDevice = 'disk' | 'cdrom' | 'floppy'
/** A device of the BMC: what can be put in, and what is. @source Ironic ManagementInterface.get_virtual_media */
export type VirtualMedia = {
  identity: string
  media_types: readonly string[]
  inserted: boolean
  image: string
  image_name: string
  transfer_method: string | null
  write_protected: boolean
}

/** @source Ironic common/components.py */
export type IndicatorComponent = 'system' | 'chassis' | 'disk' | 'power' | 'nic'
/** @source Ironic common/indicator_states.py */
export type IndicatorState = 'on' | 'off' | 'blinking' | 'unknown'
export type Indicator = { readonly: boolean; states: readonly IndicatorState[] }
/** By component, then by the indicator's own name: {chassis: {'led-0': {readonly: true, states: ['off', 'on']}}}. */
export type Indicators = Readonly<Partial<Record<IndicatorComponent, Readonly<Record<string, Indicator>>>>>

/**
 * By kind (Fan, Temperature, Power, Drive), then by the sensor's own name.
 * @source Ironic ManagementInterface.get_sensors_data
 */
export type Sensors = Readonly<Record<string, Readonly<Record<string, Json>>>>

/** The fields beside name and value are those of the BIOS attribute registry; left out: it does not tell. */
export type BiosSetting = {
  name: string
  value: string | null
  attribute_type?: 'Enumeration' | 'String' | 'Integer' | 'Boolean' | 'Password' | null
  allowable_values?: readonly string[] | null
  lower_bound?: number | null
  upper_bound?: number | null
  min_length?: number | null
  max_length?: number | null
  read_only?: boolean | null
  reset_required?: boolean | null
  unique?: boolean | null
}

/** `component`: bios, bmc, or nic:<name>, as the `update` step takes it. */
export type FirmwareComponent = { component: string; current_version: string | null }

/** As node.raid_config shows it; one logical disk may be the root volume, with its root_device_hint. */
export type RaidConfig = { logical_disks: readonly Json[] }
