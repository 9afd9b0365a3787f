/**
 * What the disk holds at a start: every record's newest document, be it in its file or in the journal. Changes nothing
 * but damaged names.
 */
import { join } from 'node:path'
import type { Disk } from './disk.ts'
import { type Document, nameOf } from './document.ts'
import { readDocuments } from './documents.ts'
import { type FoundJournal, readJournal } from './journal.ts'

export type Found = {
  /** Those that live, in order of creation. */
  documents: Document[]
  /** What the next checkpoint has to write or remove. */
  dirty: Document[]
  repairs: string[]
  last_seq: number
  journal: Pick<FoundJournal, 'segments' | 'lastNumber'>
}

export async function recover(disk: Disk, state_path: string, kinds: readonly string[]): Promise<Found> {
  const newest = new Map<string, Document>()
  const dirty = new Map<string, Document>()
  const repairs: string[] = []
  for (const kind of kinds) {
    const read = await readDocuments(disk, state_path, kind)
    for (const document of read.documents) newest.set(nameOf(document), document)
    for (const document of read.repaired) dirty.set(nameOf(document), document)
    repairs.push(...read.repairs)
  }
  const journal = readJournal(join(state_path, 'journal'))
  for (const document of journal.documents) {
    const known = newest.get(nameOf(document))
    if (known && known.seq >= document.seq) continue
    newest.set(nameOf(document), document)
    dirty.set(nameOf(document), document)
  }
  const all = [...newest.values()]
  return {
    documents: all.filter(({ record }) => record !== null).sort((a, b) => a.created_seq - b.created_seq),
    dirty: [...dirty.values()],
    repairs: [...repairs, ...journal.damages],
    last_seq: all.reduce((last, { seq }) => Math.max(last, seq), 0),
    journal,
  }
}
