/**
 * What the kernel counts while something long goes on: bytes that came in, bytes written to the disk's partitions,
 * memory left.
 */
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

const SECTOR_BYTES = 512
/** Of /sys/block/.../stat. */
const SECTORS_WRITTEN = 6
const KIB = 1024

/** By all real network cards together. */
export async function receivedBytes(root: string): Promise<number> {
  const folder = join(root, 'sys/class/net')
  const names = (await readdir(folder).catch(() => [])).filter((name) => name !== 'lo')
  const counts = await Promise.all(names.map((name) => numberIn(join(folder, name, 'statistics/rx_bytes'))))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The kernel counts anew when it has read a new partition table. */
export async function writtenToPartitions(root: string, disk: string): Promise<number> {
  const name = basename(disk)
  const folder = join(root, 'sys/block', name)
  const parts = (await readdir(folder).catch(() => [])).filter((part) => part.startsWith(name))
  const counts = await Promise.all(
    parts.map(async (part) => {
      const text = await readFile(join(folder, part, 'stat'), 'utf8').catch(() => '')
      return Number(text.trim().split(/\s+/)[SECTORS_WRITTEN] ?? 0) * SECTOR_BYTES
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

export async function availableMemoryBytes(root: string): Promise<number> {
  const text = await readFile(join(root, 'proc/meminfo'), 'utf8').catch(() => '')
  return Number(/^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * KIB
}

const numberIn = async (path: string) => Number(await readFile(path, 'utf8').catch(() => '0'))
