/**
 * The boot record: what a machine gets when its firmware asks on the network. One a node, with the node's uuid; it
 * outlives a deploy.
 */
import type { BootFile } from '../../plugin-api/index.ts'
import { type Base, type Kind, newRecord } from '../kind.ts'

/**
 * `name` of its link in the image cache: the address of this box may change. The rest is for a cache that has lost the
 * file: where it was fetched from, who said so, and what it was.
 */
export type InstanceFile = {
  name: string
  href_secret: string
  field: string
  checksum: { algorithm: string; value: string }
}
export type InstanceBoot =
  | { kind: 'kernel'; kernel: InstanceFile; ramdisks: readonly InstanceFile[]; parameters: string }
  /** `floppy`: a BIOS is to take its boot image for a floppy disk. */
  | { kind: 'iso'; iso: InstanceFile; floppy: boolean }

/** `key`: part of its address, so that only who was told it can fetch it. `until`: with what it goes. */
export type PublishedText = { key: string; text: string; until: 'deploy' | 'instance' }

/**
 * A boot of the deploy ramdisk that this box has begun, until its end: the next power action, or the procedure's end.
 */
type BootWindow = {
  /** Part of the address that the agent asks at, so that it gives it back; empty: none of older versions. */
  number_secret: string
  /** Who looked up first; null: nobody yet. */
  agent_address: string | null
}

export type Boot = Base & {
  node_uuid: string
  /** The deploy ramdisk, while a procedure is under way; before everything else. */
  agent: boolean
  /** null: the machine is in no boot that this box began. Counts only while `agent` is true. */
  window: BootWindow | null
  /** Who was given a boot script of this box last; in a window, who was given the first. */
  asked: { mac: string; address: string } | null
  /** For the deploy ramdisk of this machine alone. */
  files_secret: readonly BootFile[]
  /** null: its own disk. */
  instance: InstanceBoot | null
  /** By name. */
  texts_secret: Readonly<Record<string, PublishedText>>
  /** Part of the address of the node's image and files; empty: none has been given out. */
  files_key_secret: string
}

/** The row of boot records. A node has none until something is to be booted. */
export const BOOTS: Kind<Boot, never, 'node_uuid'> = {
  noun: 'Boot record',
  defaults: {
    agent: false,
    window: { number_secret: '', agent_address: null },
    asked: null,
    files_secret: [],
    instance: null,
    texts_secret: {},
    files_key_secret: '',
  },
  unique: {},
  indexes: ['node_uuid'],
  owner: { kind: 'nodes', field: 'node_uuid' },
}

export const newBoot = (node_uuid: string, fields: Partial<Boot> = {}): Boot =>
  newRecord(BOOTS, { uuid: node_uuid, node_uuid, ...fields })
