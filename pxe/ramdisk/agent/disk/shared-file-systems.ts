/** Signs of cluster file systems, which other machines may be using at this moment. Reads only. */
import { type DiskFile, type Partition, readAt } from './disk-file.ts'
import { guidBytes } from './gpt.ts'
import { allPartitions, type TypedPartition } from './typed-partitions.ts'

const MIB = 1024 * 1024
const KIB = 1024

/** @source ironic-python-agent hardware._check_for_special_partitions_filesystems */
const GPT_TYPES = [
  ['37AFFC90-EF7D-4E96-91C3-2D7AE055B174', 'IBM GPFS Partition'],
  ['AA31E02A-400F-11DB-9590-000C2911D1B8', 'VMware VMFS Partition (GPT)'],
] as const
const MBR_TYPES: Readonly<Record<number, string>> = { 251: 'VMware VMFS Partition (MBR)' }

/** Of a partition, or of a disk without partitions. @source util-linux libblkid superblocks: gfs, ocfs, vmfs */
const SIGNATURES = [
  ['Red Hat Global File System 2', [64 * KIB], Buffer.from('01161970', 'hex')],
  // The second block: of 512 to 4096 bytes.
  ['Oracle Cluster File System 2', [1 * KIB, 2 * KIB, 4 * KIB, 8 * KIB], Buffer.from('OCFSV2')],
  ['Oracle Cluster File System', [8], Buffer.from('OracleCFS')],
  ['Oracle ASM disk', [32], Buffer.from('ORCLDISK')],
  ['VMware VMFS volume', [MIB], Buffer.from('0dd001c0', 'hex')],
  ['VMware VMFS file system', [2 * MIB], Buffer.from('5ef1ab2f', 'hex')],
] as const

export type Shared = { what: string; partition: number }

/**
 * @param known  partitions that the kernel knows
 * @returns the first sign, with the number of its partition, 0 for the whole disk; undefined: there is none
 * @throws Error  the disk cannot be read
 */
export async function sharedFileSystem(disk: DiskFile, known: readonly Partition[]): Promise<Shared | undefined> {
  const partitions = await allPartitions(disk)
  for (const partition of partitions) {
    const what = typeOf(partition)
    if (what !== undefined) return { what, partition: partition.number }
  }
  const whole: Partition = { number: 0, start_bytes: 0, end_bytes: disk.size_bytes }
  for (const { number, start_bytes } of distinct([whole, ...partitions, ...known])) {
    const what = await signatureAt(disk, start_bytes)
    if (what !== undefined) return { what, partition: number }
  }
  return undefined
}

function typeOf({ type }: TypedPartition): string | undefined {
  if (typeof type === 'number') return MBR_TYPES[type]
  return GPT_TYPES.find(([guid]) => guidBytes(guid).equals(type))?.[1]
}

function distinct(partitions: readonly Partition[]): Partition[] {
  const byStart = new Map<number, Partition>()
  for (const partition of partitions) {
    if (!byStart.has(partition.start_bytes)) byStart.set(partition.start_bytes, partition)
  }
  return [...byStart.values()]
}

async function signatureAt(disk: DiskFile, start_bytes: number): Promise<string | undefined> {
  for (const [what, places, signature] of SIGNATURES) {
    for (const place of places) {
      const found = await readAt(disk, start_bytes + place, signature.length)
      if (found.equals(signature)) return what
    }
  }
  return undefined
}
