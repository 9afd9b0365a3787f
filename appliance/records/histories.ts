/**
 * What happened to nodes, a file for each node with a line for each event: nobody looks at most of it, so none of it is
 * held in memory. Events go in at the end, and the oldest go when there are too many. Knows no record.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { unlessMissing } from '@appliance/ground/errno'
import { replaceFile, sync, UNFINISHED } from '@appliance/ground/files'
import { createKeyedMutex } from '@appliance/ground/keyed-mutex'
import type { ProvisionState } from './kinds/node.ts'
import { timestamp } from './timestamp.ts'

/** Ironic's fields by Ironic's names. */
export type HistoryEvent = {
  uuid: string
  created_at: string
  severity: 'ERROR' | 'INFO'
  /** What the node was at: deploying, cleaning, introspection, ... */
  event_type: string
  event: string
  /** Host name of the conductor. */
  conductor: string
  user: string | null
  project: string | null
  state: ProvisionState
  target_provision_state: ProvisionState | null
  /** How long the node had been in its state. */
  duration_seconds: number | null
}

export type Histories = {
  /** Durable when it resolves. */
  add(node: string, event: Omit<HistoryEvent, 'uuid' | 'created_at'>): Promise<void>
  /** The oldest first. */
  of(node: string): Promise<readonly HistoryEvent[]>
  remove(node: string): Promise<void>
  /** At the start: what was not finished, and what is of nodes that are gone. */
  sweep(isThere: (node: string) => boolean): Promise<void>
}

export type HistoryLimits = {
  max_entries: number
  /** Younger events stay beyond max_entries, up to ten times as many. */
  minimum_days: number
}

const FILE = /^(?<node>[0-9a-f-]{36})\.jsonl$/
const DAY_MS = 86_400_000
/** A file is written anew when it holds so many more than it may. */
const SLACK = 0.1
const YOUNG_FACTOR = 10

const LIMITS: HistoryLimits = { max_entries: 300, minimum_days: 0 }

/** @param folder  made when needed */
export function createHistories(folder: string, limits = LIMITS): Histories {
  const turns = createKeyedMutex()
  const counts = new Map<string, number>()
  const pathOf = (node: string) => join(folder, `${node}.jsonl`)
  const read = async (node: string) => parsed((await readFile(pathOf(node), 'utf8').catch(unlessMissing)) ?? '')
  return {
    add: (node, event) =>
      turns.run(node, async () => {
        const before = counts.get(node) ?? (await read(node)).length
        await append(folder, pathOf(node), { uuid: randomUUID(), created_at: timestamp(), ...event })
        counts.set(node, before + 1)
        if (before + 1 <= limits.max_entries * (1 + SLACK)) return
        const left = newest(await read(node), limits)
        await replaceFile(pathOf(node), left.map(lineOf).join(''))
        counts.set(node, left.length)
      }),
    of: async (node) => newest(await read(node), limits),
    remove: (node) =>
      turns.run(node, async () => {
        counts.delete(node)
        await rm(pathOf(node), { force: true })
      }),
    async sweep(isThere) {
      for (const name of (await readdir(folder).catch(unlessMissing)) ?? []) {
        const { node } = FILE.exec(name)?.groups ?? {}
        const isStray = name.startsWith(UNFINISHED) || (node !== undefined && !isThere(node))
        if (isStray) await rm(join(folder, name), { force: true })
      }
    },
  }
}

const lineOf = (event: HistoryEvent) => `${JSON.stringify(event)}\n`

/** A line that a crash has cut off is ended first, so that it takes none of the next one with it. */
async function append(folder: string, path: string, event: HistoryEvent): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = await open(path, 'a+', 0o600)
  try {
    const { size } = await file.stat()
    const last = Buffer.alloc(1)
    if (size > 0) await file.read(last, 0, 1, size - 1)
    await file.write(`${size > 0 && last.toString() !== '\n' ? '\n' : ''}${lineOf(event)}`)
    await file.datasync()
    if (size === 0 || made !== undefined) await sync(folder)
  } finally {
    await file.close()
  }
}

/** A line that is none is the end of a write that a crash cut off: the event was never told as durable. */
function parsed(text: string): HistoryEvent[] {
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as HistoryEvent]
    } catch {
      return []
    }
  })
}

/** @source Ironic db query_node_history_records_for_purge */
function newest(events: readonly HistoryEvent[], { max_entries, minimum_days }: HistoryLimits): HistoryEvent[] {
  const since = Date.now() - minimum_days * DAY_MS
  const young = minimum_days > 0 ? events.filter(({ created_at }) => Date.parse(created_at) >= since).length : 0
  return events.slice(-Math.max(max_entries, Math.min(young, max_entries * YOUNG_FACTOR)))
}
