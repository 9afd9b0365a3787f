/**
 * The installed disk's partition table, read and written by sfdisk: which partition is root, how far it may grow, new
 * identifiers.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { StepAgent, StepDisk } from '@appliance/pxe/agent-api'

export type Partition = {
  node: string
  /** In sectors. */
  start: number
  size: number
  type: string
  uuid?: string
  name?: string
  attrs?: string
}
export type Table = {
  label: string
  id: string
  lastlba: number
  sectorsize: number
  partitions: readonly Partition[]
}

/** Root by its architecture. @source UAPI Discoverable Partitions Specification */
const ROOT_TYPES: ReadonlySet<string> = new Set([
  '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  'B921B045-1DF0-41C3-AF44-4C6F280D3FAE',
])
const MIB = 1024 * 1024

/** @throws Error  no table, or one that is no GPT */
export async function readTable(agent: StepAgent, disk: StepDisk): Promise<Table> {
  const path = join(agent.root, disk.name)
  const text = await agent.programs.run('sfdisk', ['--json', path]).catch((cause: unknown) => {
    throw new Error(`${disk.name} has no partition table that can be read.`, { cause })
  })
  const table = (JSON.parse(text) as { partitiontable: Table & { sectorsize?: number } }).partitiontable
  if (table.label === 'gpt') {
    const nodeOf = (node: string) => `${disk.name}${node.slice(path.length)}`
    const partitions = (table.partitions ?? []).map((partition) => ({ ...partition, node: nodeOf(partition.node) }))
    return { ...table, partitions, sectorsize: table.sectorsize ?? disk.logical_sector_bytes }
  }
  throw new Error(`${disk.name} has a partition table of type ${table.label}: a GPT is wanted.`)
}

/** @throws Error  none says that it is root */
export function rootOf({ partitions }: Table, disk: StepDisk): Partition {
  const roots = partitions.filter(({ type }) => ROOT_TYPES.has(type.toUpperCase()))
  const [root, another] = roots
  if (root && !another) return root
  const found = partitions.map(({ node, type, name }) => `${node} ${name ?? type}`).join(', ') || 'none'
  throw new Error(`${disk.name} has ${roots.length} partitions of the type of a root, found: ${found}. One is wanted.`)
}

type Changing = { agent: StepAgent; disk: StepDisk; table: Table; root: Partition }
type Change = { new_ids: boolean; grow: boolean; reserved_bytes: number }

/** All in one write. @returns bytes of the root partition afterwards */
export async function rewriteTable(changing: Changing, change: Change): Promise<number> {
  const { agent, disk, table, root } = changing
  const size = change.grow ? Math.max(root.size, roomOf(table, root, change.reserved_bytes)) : root.size
  if (change.new_ids || size > root.size) {
    const input = scriptOf(table, { root, size, new_ids: change.new_ids })
    const how = ['--quiet', '--no-reread', '--no-tell-kernel', '--wipe', 'never', '--wipe-partitions', 'never']
    await agent.programs.run('sfdisk', [...how, join(agent.root, disk.name)], { input })
    await agent.rereadPartitions(disk)
  }
  return size * table.sectorsize
}

/** Up to the next partition, or to the disk's end less what is reserved there; in whole MiB. */
export function roomOf({ partitions, lastlba, sectorsize }: Table, root: Partition, reserved_bytes: number): number {
  const next = Math.min(...partitions.map(({ start }) => start).filter((start) => start > root.start))
  const end = Number.isFinite(next) ? next : lastlba + 1 - reserved_bytes / sectorsize
  const step = MIB / sectorsize
  return Math.floor(end / step) * step - root.start
}

/** What sfdisk itself would dump, changed. */
export function scriptOf(table: Table, change: { root: Partition; size: number; new_ids: boolean }): string {
  const idOf = (old: string | undefined) => (change.new_ids || !old ? randomUUID() : old)
  const lines = table.partitions.map((partition) => {
    const size = partition === change.root ? change.size : partition.size
    const fields = [
      `start=${partition.start}`,
      `size=${size}`,
      `type=${partition.type}`,
      `uuid=${idOf(partition.uuid)}`,
    ]
    // sfdisk knows no escape within quotes.
    if (partition.name) fields.push(`name="${partition.name.replace(/[^\w .:-]/g, '-')}"`)
    if (partition.attrs) fields.push(`attrs="${partition.attrs.replace(/[^\w :,]/g, '')}"`)
    return `${partition.node} : ${fields.join(', ')}`
  })
  return `label: gpt\nlabel-id: ${idOf(table.id)}\nunit: sectors\nsector-size: ${table.sectorsize}\n\n${lines.join('\n')}\n`
}
