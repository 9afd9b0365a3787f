/** One process for each storage_path. The kernel holds the lock, so it is gone the instant the process is, however that ends. */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { RegistryError } from '../config.ts'
import { codeOf } from './disk.ts'

const CONFLICT = 75
const DEADLINE_MS = 10_000

/** Another process has the folder: most likely a registry that runs. */
export class StorageInUse extends RegistryError {}

/** Node knows no flock(2), util-linux does: its child locks the open file that it was given, which is ours too. @returns how to release it */
export function lockStorage(storage_path: string): () => void {
  const path = join(storage_path, 'lock')
  const file = openSync(path, 'a+', 0o600)
  const { status, error, stderr } = spawnSync('flock', ['--nonblock', '--conflict-exit-code', String(CONFLICT), '3'], {
    stdio: ['ignore', 'ignore', 'pipe', file],
    timeout: DEADLINE_MS,
    encoding: 'utf8',
  })
  if (status === 0) return () => closeSync(file)
  closeSync(file)
  if (status === CONFLICT)
    throw new StorageInUse(
      `${storage_path} is in use by another process. Stop it, or give this registry another [registry] storage_path.`,
    )
  throw new RegistryError(
    `${path} cannot be locked: ${error?.message ?? (stderr.trim() || `flock ended with status ${status}`)}. ` +
      (codeOf(error) === 'ENOENT' ? 'The command flock (Debian package util-linux) is needed.' : ''),
    { cause: error },
  )
}
