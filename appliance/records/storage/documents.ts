/** The documents of all records, `<state_path>/<kind>/<uuid>.json`: written by checkpoints, read once at the start. */
import { mkdirSync, readdirSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Low } from 'lowdb'
import { type Disk, FOLDER_MODE, NEW_SUFFIX } from './disk.ts'
import { type Document, isUuid } from './document.ts'
import { DurableAdapter, PREVIOUS } from './durable-adapter.ts'

const WRITERS = 8
const FILE = /^(?<uuid>[^.]+)\.json(?<suffix>\..+)?$/

const pathOf = (state_path: string, { kind, uuid }: Pick<Document, 'kind' | 'uuid'>) =>
  join(state_path, kind, `${uuid}.json`)

/** Writes and removes; durable when it resolves. Another call with the same documents is welcome after a failure. */
export async function writeDocuments(disk: Disk, state_path: string, documents: readonly Document[]): Promise<void> {
  const rest = documents.values()
  const work = async () => {
    for (const document of rest) await writeDocument(disk, state_path, document)
  }
  const ends = await Promise.allSettled(Array.from({ length: WRITERS }, work))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  for (const kind of new Set(documents.map((document) => document.kind))) await disk.syncFolder(join(state_path, kind))
}

async function writeDocument(disk: Disk, state_path: string, document: Document): Promise<void> {
  const adapter = new DurableAdapter(pathOf(state_path, document), disk, document, () => {})
  await new Low<Document | null>(adapter, document).write()
}

export type FoundDocuments = { documents: Document[]; repaired: Document[]; repairs: string[] }

/** Reads every document of one kind. */
export async function readDocuments(disk: Disk, state_path: string, kind: string): Promise<FoundDocuments> {
  const folder = join(state_path, kind)
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE })
  const found: FoundDocuments = { documents: [], repaired: [], repairs: [] }
  const uuids = new Set<string>()
  for (const name of readdirSync(folder)) {
    const { uuid, suffix = '' } = FILE.exec(name)?.groups ?? {}
    // What a checkpoint had not finished; the journal has it whole.
    if (suffix.endsWith(NEW_SUFFIX)) await unlink(join(folder, name))
    else if (isUuid(uuid) && (suffix === '' || suffix === PREVIOUS)) uuids.add(uuid)
  }
  for (const uuid of uuids) {
    const repairs = found.repairs.length
    const adapter = new DurableAdapter(pathOf(state_path, { kind, uuid }), disk, { kind, uuid }, (text) =>
      found.repairs.push(text),
    )
    const low = new Low<Document | null>(adapter, null)
    await low.read()
    if (!low.data) continue
    found.documents.push(low.data)
    if (found.repairs.length > repairs) found.repaired.push(low.data)
  }
  return found
}
