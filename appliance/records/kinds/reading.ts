/**
 * The reading: what a node's machine told of itself when it was last asked, its BIOS settings and firmware versions.
 * One a node, with the node's uuid.
 */
import type { BiosSetting, FirmwareComponent } from '../../plugin-api/interfaces.ts'
import { type Base, type Kind, newRecord } from '../kind.ts'

/** When it was first told, and when it was last told to be another. ISO 8601. */
type Told = { created_at: string; updated_at: string | null }
export type ToldSetting = Required<BiosSetting> & Told
export type ToldComponent = FirmwareComponent & {
  initial_version: string | null
  /** null: the version is that of the beginning. */
  last_version_flashed: string | null
} & Told

export type Reading = Base & {
  node_uuid: string
  bios: readonly ToldSetting[]
  firmware: readonly ToldComponent[]
}

export const READINGS: Kind<Reading, never, 'node_uuid'> = {
  noun: 'Reading',
  defaults: { bios: [], firmware: [] },
  unique: {},
  indexes: ['node_uuid'],
  owner: { kind: 'nodes', field: 'node_uuid' },
}

export const newReading = (node_uuid: string): Reading => newRecord(READINGS, { uuid: node_uuid, node_uuid })
