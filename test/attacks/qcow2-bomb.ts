/**
 * A qcow2 image of 64 GiB in 384 KiB, without a fault that `qemu-img check` would find: all of its disk is one and the
 * same cluster.
 */
import { writeFileSync } from 'node:fs'

const CLUSTER_BITS = 16
const CLUSTER_BYTES = 1 << CLUSTER_BITS
const VIRTUAL_BYTES = 64 * 1024 ** 3
const ENTRY_BYTES = 8
const ENTRIES = CLUSTER_BYTES / ENTRY_BYTES
/** Each maps 512 MiB of the disk. */
const TABLES = VIRTUAL_BYTES / CLUSTER_BYTES / ENTRIES
/** Of the counters: 64 bits each, as a million entries refer to the one cluster. */
const REFCOUNT_ORDER = 6
const [VERSION, HEADER_BYTES] = [3, 104]
/** The clusters of the file after its header. */
const [L1, REFCOUNT_TABLE, REFCOUNTS, L2, DATA] = [1, 2, 3, 4, 5]

const at = (cluster: number) => cluster * CLUSTER_BYTES

/** @source qemu, docs/interop/qcow2.txt: header, two-level mapping, reference counts */
export function writeBomb(path: string): void {
  const file = Buffer.alloc(6 * CLUSTER_BYTES)
  const entry = (table: number, index: number, value: number) =>
    file.writeBigUInt64BE(BigInt(value), at(table) + index * ENTRY_BYTES)
  file.write('QFI\xfb', 0, 'latin1')
  file.writeUInt32BE(VERSION, 4)
  file.writeUInt32BE(CLUSTER_BITS, 20)
  file.writeBigUInt64BE(BigInt(VIRTUAL_BYTES), 24)
  file.writeUInt32BE(TABLES, 36)
  file.writeBigUInt64BE(BigInt(at(L1)), 40)
  file.writeBigUInt64BE(BigInt(at(REFCOUNT_TABLE)), 48)
  file.writeUInt32BE(1, 56)
  file.writeUInt32BE(REFCOUNT_ORDER, 96)
  file.writeUInt32BE(HEADER_BYTES, 100)
  for (let index = 0; index < TABLES; index++) entry(L1, index, at(L2))
  for (let index = 0; index < ENTRIES; index++) entry(L2, index, at(DATA))
  entry(REFCOUNT_TABLE, 0, at(REFCOUNTS))
  for (const [cluster, count] of [1, 1, 1, 1, TABLES, TABLES * ENTRIES].entries()) entry(REFCOUNTS, cluster, count)
  // Zeros would be left out.
  file.fill(0x55, at(DATA))
  writeFileSync(path, file)
}
