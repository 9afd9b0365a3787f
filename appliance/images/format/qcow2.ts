/**
 * Reads a qcow2 header as an enemy may have written it, so that qemu-img only ever sees images that refer to nothing
 * but themselves.
 */
import { ImageUnacceptable } from '../../errors.ts'

/** @source QEMU docs/interop/qcow2.txt; all numbers are big-endian */
const MAGIC = 0x514649fb
const HEADER_BYTES = { 2: 72, 3: 104 } as const
/** 512 bytes to 2 MiB, as QEMU has it. */
const CLUSTER_BITS = { min: 9, max: 21 } as const
/** 32 MiB of 8-byte entries, and 8 MiB of reference table: QEMU's own limits. */
const L1_ENTRIES_LIMIT = 4 * 1024 * 1024
const REFCOUNT_TABLE_LIMIT_BYTES = 8 * 1024 * 1024
const SNAPSHOTS_LIMIT = 1024
const EXTENSIONS_LIMIT = 64
const INCOMPATIBLE = { corrupt: 1n << 1n, data_file: 1n << 2n, known: 0b11111n } as const
const EXTENSION = { end: 0, data_file_name: 0x44415441, encryption: 0x0537be77 } as const

export const isQcow2 = (head: Buffer) => head.length >= 8 && head.readUInt32BE(0) === MAGIC

type Qcow2 = { head: Buffer; version: 2 | 3; file_bytes: number; cluster_bytes: number; size: bigint; shown: string }

const refuse = (shown: string, found: string, wanted: string): never => {
  throw new ImageUnacceptable(`Image ${shown} is a qcow2 image that ${found}: ${wanted}`)
}
const FLATTEN = 'refused. Make one that stands alone: qemu-img convert -O qcow2.'
const DAMAGED = 'it is damaged, or made to harm. Make it again: qemu-img convert -O qcow2.'

/**
 * @param head  the file's first 64 KiB, or all of it
 * @returns size of the virtual disk. @throws ImageUnacceptable
 */
export function checkQcow2(head: Buffer, file_bytes: number, limit_bytes: number, shown: string): number {
  const version = head.length >= HEADER_BYTES[2] ? head.readUInt32BE(4) : 0
  if (version !== 2 && version !== 3) return refuse(shown, `has version ${version}`, 'expected version 2 or 3.')
  if (head.length < HEADER_BYTES[version]) return refuse(shown, 'ends within its header', DAMAGED)
  const cluster_bits = head.readUInt32BE(20)
  if (cluster_bits < CLUSTER_BITS.min || cluster_bits > CLUSTER_BITS.max) {
    return refuse(shown, `has clusters of 2^${cluster_bits} bytes`, DAMAGED)
  }
  const size = head.readBigUInt64BE(24)
  const image: Qcow2 = { head, version, file_bytes, cluster_bytes: 2 ** cluster_bits, size, shown }
  refuseReferences(image)
  if (size === 0n) refuse(shown, 'has a virtual disk of 0 bytes', 'expected a disk with something on it.')
  if (size > BigInt(limit_bytes)) {
    refuse(shown, `has a virtual disk of ${size} bytes`, `the most that is accepted here is ${limit_bytes} bytes.`)
  }
  refuseAbsurdTables(image)
  return Number(size)
}

/** Nothing may name another file, or need a key. */
function refuseReferences(image: Qcow2): void {
  const { head, version, shown } = image
  if (head.readBigUInt64BE(8) !== 0n || head.readUInt32BE(16) !== 0) refuse(shown, 'has a backing file', FLATTEN)
  if (head.readUInt32BE(32) !== 0) refuse(shown, 'is encrypted', FLATTEN)
  if (version === 2) return
  const incompatible = head.readBigUInt64BE(72)
  if (incompatible & INCOMPATIBLE.data_file) refuse(shown, 'has an external data file', FLATTEN)
  if (incompatible & INCOMPATIBLE.corrupt) refuse(shown, 'is marked corrupt', 'Repair it: qemu-img check -r all.')
  if (incompatible & ~INCOMPATIBLE.known) refuse(shown, 'needs features that are not known here', FLATTEN)
  refuseExtensions(image)
}

function refuseExtensions({ head, cluster_bytes, shown }: Qcow2): void {
  const header_bytes = head.readUInt32BE(100)
  const end = Math.min(cluster_bytes, head.length)
  if (header_bytes < HEADER_BYTES[3] || header_bytes % 8 !== 0 || header_bytes > end) {
    refuse(shown, `has a header of ${header_bytes} bytes`, DAMAGED)
  }
  let at = header_bytes
  for (let count = 0; at + 8 <= end; count++) {
    const [type, length] = [head.readUInt32BE(at), head.readUInt32BE(at + 4)]
    if (type === EXTENSION.end) return
    if (type === EXTENSION.data_file_name) refuse(shown, 'names an external data file', FLATTEN)
    if (type === EXTENSION.encryption) refuse(shown, 'is encrypted', FLATTEN)
    if (count >= EXTENSIONS_LIMIT || length > cluster_bytes) refuse(shown, 'has absurd header extensions', DAMAGED)
    at += 8 + Math.ceil(length / 8) * 8
  }
  if (at > end) refuse(shown, 'has absurd header extensions', DAMAGED)
}

/** Tables must lie in the file, and be large enough for the disk but not larger than QEMU takes. */
function refuseAbsurdTables({ head, version, file_bytes, cluster_bytes, size, shown }: Qcow2): void {
  const entry_bytes = version === 3 && head.readBigUInt64BE(72) & (1n << 4n) ? 16 : 8
  const l1_entries = head.readUInt32BE(36)
  const reach = BigInt(cluster_bytes) * BigInt(cluster_bytes / entry_bytes)
  const needed = (size + reach - 1n) / reach
  if (l1_entries > L1_ENTRIES_LIMIT || BigInt(l1_entries) < needed) {
    refuse(shown, `has an L1 table of ${l1_entries} entries for a disk of ${size} bytes`, DAMAGED)
  }
  const l1_at = head.readBigUInt64BE(40)
  const refcounts_at = head.readBigUInt64BE(48)
  const refcount_bytes = head.readUInt32BE(56) * cluster_bytes
  const end = BigInt(Math.ceil(file_bytes / cluster_bytes) * cluster_bytes)
  const inside = (at: bigint, bytes: number) =>
    at % BigInt(cluster_bytes) === 0n && at > 0n && at + BigInt(bytes) <= end
  if (!inside(l1_at, l1_entries * 8)) refuse(shown, 'has its L1 table outside the file', DAMAGED)
  if (refcount_bytes === 0 || refcount_bytes > REFCOUNT_TABLE_LIMIT_BYTES || !inside(refcounts_at, refcount_bytes)) {
    refuse(shown, 'has its refcount table outside the file, or an absurd one', DAMAGED)
  }
  if (head.readUInt32BE(60) > SNAPSHOTS_LIMIT) refuse(shown, `has ${head.readUInt32BE(60)} snapshots`, FLATTEN)
}
