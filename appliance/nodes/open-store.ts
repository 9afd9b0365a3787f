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
}

/** @throws StatePathInUse, SecretKeyRefused, ApplianceError (state_path cannot be written) */
export async function openStore({ state_path, log, disk = realDisk }: OpenStoreOptions): Promise<Store> {
  makeFolder(state_path)
  const lock = lockStatePath(state_path)
  try {
    return await openLocked({ state_path, log, disk }, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openLocked({ state_path, log, disk }: Required<OpenStoreOptions>, lock: Lock): Promise<Store> {
  const found = await recover(disk, state_path, ['nodes', 'ports'])
  for (const repair of found.repairs) log.error('store repaired', { repair })
  let seq = found.last_seq
  const secrets = new Secrets(join(state_path, 'secret.key'))
  const backing = { commits: () => commits, secrets, nextSeq: () => ++seq }
  const nodes = new NodeRecords(backing)
  const ports = new PortRecords(backing)
  const lost = [
    ...loadAll(found.documents, 'nodes', nodes, nodeDefaults()),
    ...loadAll(found.documents, 'ports', ports, portDefaults()),
  ]
  await secrets.ensureKey(disk)
  const commits = startCommits({ state_path, log, disk, found }, () => {
    nodes.takeBack()
    ports.takeBack()
  })
  return {
    nodes,
    ports,
    repairs: [...found.repairs, ...lost],
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
): string[] {
  for (const document of documents) if (document.kind === kind) records.load(document, defaults)
  return []
}

type CommitParts = Required<OpenStoreOptions> & { found: Found }

function startCommits({ state_path, log, disk, found }: CommitParts, onRefused: () => void): Commits {
  const journal = new Journal(join(state_path, 'journal'), disk, found.journal)
  return new Commits({ state_path, disk, journal, log, dirty: found.dirty, onRefused })
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
