/**
 * What a machine tells of itself through its BMC: BIOS settings, firmware versions, boot mode and Secure Boot, RAID.
 * Read when a node becomes manageable and after steps that change it, and kept. Never sets anything.
 */
import { isDeepStrictEqual } from 'node:util'
import { isSecretKey } from '@appliance/ground/secret-words'
import { messageOf } from '../../errors.ts'
import type { BiosSetting, FirmwareComponent, Interfaces } from '../../plugin-api/interfaces.ts'
import { newReading, type Reading, type ToldComponent, type ToldSetting } from '../../records/kinds/reading.ts'
import { timestamp } from '../../records/timestamp.ts'
import { interfaceOf, interfaceTask } from '../interfaces/interface-of.ts'
import { BMC_DEADLINE_S, limited, type PowerParts } from '../power/power.ts'
import type { NodeHandle } from '../states/node-handle.ts'
import { keepRaidConfig } from './raid.ts'

type Read = (parts: PowerParts, node: NodeHandle, signal: AbortSignal) => Promise<void>

const READ_AFTER: Readonly<Partial<Record<keyof Interfaces, Read>>> = {
  bios: keepBios,
  firmware: keepFirmware,
  raid: keepRaidConfig,
}

/** After a step of this interface is done: what it changed. What cannot be read is logged, and fails nothing. */
export async function readAfter(parts: PowerParts, node: NodeHandle, type: string, signal: AbortSignal): Promise<void> {
  const read = READ_AFTER[type as keyof Interfaces]
  if (read) await tried(parts, node, type, () => limited(signal, BMC_DEADLINE_S, (limit) => read(parts, node, limit)))
}

/** All of it. @source Ironic conductor/utils.py node_update_cache */
export async function readMachine(parts: PowerParts, node: NodeHandle, signal: AbortSignal): Promise<void> {
  const rows = { bios: keepBios, firmware: keepFirmware, 'boot mode': keepBootMode }
  for (const [what, read] of Object.entries(rows)) {
    await tried(parts, node, what, () => limited(signal, BMC_DEADLINE_S, (limit) => read(parts, node, limit)))
  }
}

async function tried({ log }: PowerParts, node: NodeHandle, what: string, read: () => Promise<void>): Promise<void> {
  try {
    await read()
  } catch (error) {
    log.warn('machine not read', { node: node.uuid, what, reason: messageOf(error) })
  }
}

async function keepBios(parts: PowerParts, node: NodeHandle, signal: AbortSignal): Promise<void> {
  const bios = interfaceOf(parts, node.record, 'bios')
  if (!bios.getSettings) return
  const found = await bios.getSettings(interfaceTask(parts, node.record, 'bios', signal))
  await keep(parts, node.uuid, ({ bios: before }) => ({ bios: told(before, believed(found), 'name') }))
}

async function keepFirmware(parts: PowerParts, node: NodeHandle, signal: AbortSignal): Promise<void> {
  const firmware = interfaceOf(parts, node.record, 'firmware')
  if (!firmware.getComponents) return
  const found = await firmware.getComponents(interfaceTask(parts, node.record, 'firmware', signal))
  await keep(parts, node.uuid, ({ firmware: before }) => {
    const versions = found.slice(0, LIMITS.components).map((each) => versioned(before, each))
    return { firmware: told(before, versions, 'component') }
  })
}

async function keepBootMode(parts: PowerParts, node: NodeHandle, signal: AbortSignal): Promise<void> {
  const management = interfaceOf(parts, node.record, 'management')
  const task = () => interfaceTask(parts, node.record, 'management', signal)
  const boot_mode = (await management.getBootMode?.(task())) ?? null
  const secure_boot = (await management.getSecureBoot?.(task())) ?? null
  if (boot_mode === node.record.boot_mode && secure_boot === node.record.secure_boot) return
  await node.update({ boot_mode, secure_boot })
}

async function keep({ store }: PowerParts, uuid: string, change: (before: Reading) => Partial<Reading>): Promise<void> {
  if (!store.readings.get(uuid)) await store.readings.create(newReading(uuid))
  await store.readings.update(uuid, change)
}

/** Of what a BMC tells: one that tells more is not believed. A server has some hundred settings. */
const LIMITS = { settings: 2000, components: 500, characters: 1024 }
const cut = (text: string | null) => text?.slice(0, LIMITS.characters) ?? null

/** Each once, without the passwords that a BIOS may tell. */
function believed(settings: readonly BiosSetting[]): Required<BiosSetting>[] {
  const byName = new Map(settings.slice(0, LIMITS.settings).map((setting) => [cut(setting.name) ?? '', setting]))
  return [...byName].map(([name, { value, attribute_type = null, allowable_values = null, ...bounds }]) => ({
    ...{ lower_bound: null, upper_bound: null, min_length: null, max_length: null },
    ...{ read_only: null, reset_required: null, unique: null },
    ...bounds,
    name,
    value: attribute_type === 'Password' || isSecretKey(name) ? null : cut(value),
    attribute_type,
    allowable_values: allowable_values?.slice(0, LIMITS.settings).map((each) => cut(each) ?? '') ?? null,
  }))
}

function versioned(before: readonly ToldComponent[], given: FirmwareComponent) {
  const [component, current_version] = [cut(given.component) ?? '', cut(given.current_version)]
  const known = before.find((each) => each.component === component)
  const isFlashed = known !== undefined && known.current_version !== current_version
  return {
    component,
    current_version,
    initial_version: known?.initial_version ?? current_version,
    last_version_flashed: isFlashed ? current_version : (known?.last_version_flashed ?? null),
  }
}

/** What is as it was keeps its times. */
function told<T extends ToldSetting | ToldComponent>(
  before: readonly T[],
  found: readonly Omit<T, 'created_at' | 'updated_at'>[],
  key: keyof T & string,
): T[] {
  const known = new Map(before.map((each) => [each[key], each]))
  return found.map((each) => {
    const last = known.get((each as T)[key])
    if (!last) return { ...each, created_at: timestamp(), updated_at: null } as T
    const { created_at, updated_at, ...rest } = last
    return { ...each, created_at, updated_at: isDeepStrictEqual(rest, each) ? updated_at : timestamp() } as T
  })
}
