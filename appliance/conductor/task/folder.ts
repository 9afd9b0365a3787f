/**
 * A folder of a node's own for the time of a procedure: only the appliance's account looks into it. It outlives a
 * restart, and no procedure.
 */
import { chmod, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { leadsNowhere } from '@appliance/ground/errno'
import { messageOf } from '../../errors.ts'
import type { Parts } from '../parts/parts.ts'
import { hasProcedure } from '../procedures/procedure.ts'
import type { NodeHandle } from '../states/node-handle.ts'

type FolderParts = Pick<Parts, 'store' | 'log' | 'folder'>

const OWNER_ONLY = 0o700

/** @throws Error  the node goes through nothing: a plugin's fault */
export async function procedureFolder(parts: Pick<FolderParts, 'folder'>, { record }: NodeHandle): Promise<string> {
  const { uuid, provision_state } = record
  if (!hasProcedure(record)) {
    throw new Error(`task.folder was called for node ${uuid}, which is "${provision_state}": nobody would remove it.`)
  }
  const folder = join(parts.folder, uuid)
  await mkdir(folder, { recursive: true, mode: OWNER_ONLY })
  await chmod(folder, OWNER_ONLY)
  return folder
}

/** Its failure is noted: the next start tries again. */
export async function removeProcedureFolder(
  { folder, log }: Pick<FolderParts, 'folder' | 'log'>,
  uuid: string,
): Promise<void> {
  await rm(join(folder, uuid), { recursive: true, force: true }).catch((error: unknown) => {
    log.warn('folder of a procedure not removed', { node: uuid, reason: messageOf(error), error })
  })
}

/** At the start: those whose procedure came to its end, or whose node went, while nobody looked. */
export async function sweepProcedureFolders(parts: FolderParts): Promise<void> {
  const names = await readdir(parts.folder).catch((error: unknown) => {
    if (leadsNowhere(error)) return []
    throw error
  })
  for (const name of names) {
    const node = parts.store.nodes.get(name)
    if (!node || !hasProcedure(node)) await removeProcedureFolder(parts, name)
  }
}
