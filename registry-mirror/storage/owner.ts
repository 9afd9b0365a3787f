/** Whose folder it is: a command that opens it must not leave there what the registry, run by another user, can neither read nor replace. */
import { stat } from 'node:fs/promises'
import process from 'node:process'
import { RegistryError } from '../config.ts'
import { unlessMissing } from './disk.ts'

/** @throws RegistryError  it is another user's, also when this one is root */
export async function checkOwner(storage_path: string): Promise<void> {
  const folder = await stat(storage_path).catch(unlessMissing)
  const uid = process.getuid?.()
  if (folder === undefined || uid === undefined || folder.uid === uid) return
  throw new RegistryError(
    `${storage_path} belongs to user ${folder.uid}, this command runs as user ${uid}: the registry could not use what it would write there. ` +
      'Start the registry first, or run the command as that user.',
  )
}
