/**
 * Opens the store: locks state_path, reads documents and journal, says loudly what it had to repair. Knows no kind of
 * record but by the table.
 */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { FolderLock } from '@appliance/ground/folder-lock'
import { ApplianceError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Backing, DurableRecords } from './durable-records.ts'
import type { Base, Kinds } from './kind.ts'
import { KINDS } from './kinds.ts'
import { Commits } from './storage/commits.ts'
import { type Disk, FOLDER_MODE, disk as realDisk } from './storage/disk.ts'
import type { Document } from './storage/document.ts'
import { writeDocuments } from './storage/documents.ts'
import { Journal } from './storage/journal.ts'
import { lockStatePath } from './storage/lock.ts'
import { type Found, recover } from './storage/recover.ts'
import { Secrets } from './storage/secrets.ts'
import type { Store, StoreOf } from './store.ts'

export type OpenStoreOptions = {
  /** [DEFAULT] state_path. Made when it is not there. */
  state_path: string
  log: Log
  /** How files are written; tests count and fail here. */
  disk?: Disk
  /** From a change to the checkpoint that brings it from the journal into its document; tests hurry here. */
  checkpoint_delay_ms?: number
}

type Opening = Required<OpenStoreOptions>

const CHECKPOINT_DELAY_MS = 1000

/** @throws StatePathInUse, SecretKeyRefused, ApplianceError (state_path cannot be written) */
export const openStore = (options: OpenStoreOptions): Promise<Store> => openStoreOf(KINDS, options)

/** The same, of any kinds. */
export async function openStoreOf<K extends Kinds>(kinds: K, options: OpenStoreOptions): Promise<StoreOf<K>> {
  const { state_path, log, disk = realDisk, checkpoint_delay_ms = CHECKPOINT_DELAY_MS } = options
  makeFolder(state_path)
  const lock = lockStatePath(state_path)
  try {
    return await openLocked({ state_path, log, disk, checkpoint_delay_ms }, kinds, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openLocked<K extends Kinds>(options: Opening, kinds: K, lock: FolderLock): Promise<StoreOf<K>> {
  const { state_path, log, disk } = options
  const found = await recover(disk, state_path, Object.keys(kinds))
  const secrets = new Secrets(join(state_path, 'secret.key'))
  const repairs = [...found.repairs, ...secrets.repairs]
  for (const repair of repairs) log.error('store repaired', { repair })
  let seq = found.last_seq
  const store = createRecords(kinds, { commits: () => commits, secrets, nextSeq: () => ++seq })
  const plain = found.documents.filter((document) => store.get(document.kind)?.load(document))
  await secrets.ensureKey(disk)
  // The key and the folders of documents and journal may be new: a file in one of them is as durable as its folder's
  // name.
  await disk.syncFolder(state_path)
  if (plain.length > 0) await encryptPlain(options, found, { plain, secrets })
  const commits = startCommits({ ...options, found }, () => {
    for (const records of store.values()) records.takeBack()
  })
  const close = async () => {
    await commits.close()
    lock.release()
  }
  return { ...Object.fromEntries(store), repairs, close } as StoreOf<K>
}

type Plain = { plain: readonly Document[]; secrets: Secrets }

/**
 * What an older version took for no secret is encrypted in its document, and in the generation before that. The
 * journal, which may have it too, goes with the next checkpoint, and so it has something to do.
 */
async function encryptPlain(
  { state_path, log, disk }: Opening,
  found: Found,
  { plain, secrets }: Plain,
): Promise<void> {
  const encrypted = plain.map((document): Document => {
    const record = secrets.decrypt(document.record ?? {}, document)
    return { ...document, record: secrets.encrypt(record, document) }
  })
  const kept = found.dirty.filter((document) => !plain.includes(document))
  found.dirty = [...kept, ...encrypted]
  try {
    for (const _generation of ['last', 'previous']) await writeDocuments(disk, state_path, encrypted)
    log.info('secrets of an older version encrypted', { records: encrypted.length })
  } catch (error) {
    // A full disk is no reason not to start: the checkpoints try again.
    log.error('secrets of an older version are not encrypted yet', { folder: state_path, reason: messageOf(error) })
  }
}

type Common = Omit<Backing, 'records' | 'all'>

function createRecords(kinds: Kinds, common: Common): ReadonlyMap<string, DurableRecords<Base>> {
  const records = new Map<string, DurableRecords<Base>>()
  const backing: Backing = {
    ...common,
    records(kind) {
      const found = records.get(kind)
      if (!found) throw new Error(`kinds.ts has no ${kind}, which others name as their owner`)
      return found
    },
    all: () => records.values(),
  }
  for (const [name, kind] of Object.entries(kinds)) records.set(name, new DurableRecords(name, kind, backing))
  return records
}

type CommitParts = Opening & { found: Found }

function startCommits({ found, ...options }: CommitParts, onRefused: () => void): Commits {
  const journal = new Journal(join(options.state_path, 'journal'), options.disk, found.journal)
  return new Commits({ ...options, journal, dirty: found.dirty, onRefused })
}

function makeFolder(state_path: string): void {
  try {
    mkdirSync(state_path, { recursive: true, mode: FOLDER_MODE })
    accessSync(state_path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new ApplianceError(
      `state_path ${state_path} cannot be written by user ${process.getuid?.()} (${messageOf(error)}). ` +
        'Give that folder to this user, or set [DEFAULT] state_path to another one.',
      { cause: error },
    )
  }
}
