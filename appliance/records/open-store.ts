/** Opens the store: locks state_path, reads documents and journal, says loudly what it had to repair. Decides nothing about nodes. */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ApplianceError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { DurableRecords } from './durable-records.ts'
import { NodeRecords, nodeDefaults } from './node-records.ts'
import { PortRecords, portDefaults } from './port-records.ts'
import { Commits } from './storage/commits.ts'
import { type Disk, FOLDER_MODE, disk as realDisk } from './storage/disk.ts'
import type { Document } from './storage/document.ts'
import { Journal } from './storage/journal.ts'
import { type Lock, lockStatePath } from './storage/lock.ts'
import { type Found, recover } from './storage/recover.ts'
import { Secrets } from './storage/secrets.ts'
import type { Store } from './store.ts'

export type OpenStoreOptions = {
  /** [DEFAULT] state_path. Made when it is not there. */
  state_path: string
  log: Log
  /** How files are written; tests count and fail here. */
  disk?: Disk
  /** From a change to the checkpoint that brings it from the journal into its document; tests hurry here. */
  checkpoint_delay_ms?: number
}

const CHECKPOINT_DELAY_MS = 1000

/** @throws StatePathInUse, SecretKeyRefused, ApplianceError (state_path cannot be written) */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { state_path, log, disk = realDisk, checkpoint_delay_ms = CHECKPOINT_DELAY_MS } = options
  makeFolder(state_path)
  const lock = lockStatePath(state_path)
  try {
    return await openLocked({ state_path, log, disk, checkpoint_delay_ms }, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openLocked(options: Required<OpenStoreOptions>, lock: Lock): Promise<Store> {
  const { state_path, log, disk } = options
  const found = await recover(disk, state_path, ['nodes', 'ports'])
  const secrets = new Secrets(join(state_path, 'secret.key'))
  const repairs = [...found.repairs, ...secrets.repairs]
  for (const repair of repairs) log.error('store repaired', { repair })
  let seq = found.last_seq
  const backing = { commits: () => commits, secrets, nextSeq: () => ++seq }
  const nodes = new NodeRecords(backing)
  const ports = new PortRecords(backing)
  loadAll(found.documents, 'nodes', nodes, nodeDefaults())
  loadAll(found.documents, 'ports', ports, portDefaults())
  await secrets.ensureKey(disk)
  // The key and the folders of documents and journal may be new: a file in one of them is as durable as its folder's name.
  await disk.syncFolder(state_path)
  const commits = startCommits({ ...options, found }, () => {
    nodes.takeBack()
    ports.takeBack()
  })
  return {
    nodes,
    ports,
    repairs,
    async close() {
      await commits.close()
      lock.release()
    },
  }
}

function loadAll<R extends { uuid: string; created_at: string; updated_at: string | null }>(
  documents: readonly Document[],
  kind: string,
  records: DurableRecords<R>,
  defaults: R,
): void {
  for (const document of documents) if (document.kind === kind) records.load(document, defaults)
}

type CommitParts = Required<OpenStoreOptions> & { found: Found }

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
