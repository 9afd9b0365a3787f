/**
 * Checks the owner of the folder: a command must not leave files there that the registry, which another user runs,
 * can neither read nor replace.
 */
import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import { unlessMissing } from '@appliance/ground/errno'
import { RegistryError } from '../../oci/errors.ts'

const ROOT = 0

/** @throws RegistryError  it is another user's, also when this one is root */
export async function checkOwner(storage_path: string): Promise<void> {
  const uid = process.getuid?.()
  const folder = uid === ROOT ? await nearest(storage_path) : await stat(storage_path).catch(unlessMissing)
  if (folder === undefined || uid === undefined || folder.uid === uid) return
  throw new RegistryError(
    `${storage_path} belongs to user ${folder.uid}, this command runs as user ${uid}: the registry could not use what it would write there. ` +
      'Start the registry first, or run the command as that user.',
  )
}

/** What root makes belongs to root, also in a folder of another user. */
async function nearest(path: string): Promise<Stats | undefined> {
  const found = await stat(path).catch(unlessMissing)
  return found === undefined && path !== dirname(path) ? nearest(dirname(path)) : found
}
