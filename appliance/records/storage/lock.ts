/** One process per state_path. The kernel holds the lock, so it is gone the instant the process is, however that ends. */
import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '@appliance/ground/files'
import { ApplianceError } from '../../errors.ts'
import { FILE_MODE } from './disk.ts'

const CONFLICT = 75
const DEADLINE_MS = 10_000

/** Another process works on this state_path. */
export class StatePathInUse extends ApplianceError {}

export type Lock = { release(): void }

/**
 * Node knows no flock(2), util-linux does: its child locks the open file it was given, which is ours too, and the lock stays
 * for as long as we keep it open. No start looks at a pid and then acts on it, so two starts cannot race; a lock of another
 * container or network namespace counts as well. The file stays behind: removing it would let two processes lock two files.
 */
export function lockStatePath(state_path: string): Lock {
  const path = join(state_path, 'lock')
  const file = openSync(path, 'a+', FILE_MODE)
  const { status, error, stderr } = spawnSync('flock', ['--nonblock', '--conflict-exit-code', String(CONFLICT), '3'], {
    stdio: ['ignore', 'ignore', 'pipe', file],
    timeout: DEADLINE_MS,
    encoding: 'utf8',
  })
  if (status !== 0) {
    closeSync(file)
    throw status === CONFLICT
      ? new StatePathInUse(
          `${state_path} is in use by ${holderOf(path)}. Stop it, or give this one another [DEFAULT] state_path.`,
        )
      : new ApplianceError(
          `${path} cannot be locked: ${error?.message ?? (stderr.trim() || `flock ended with status ${status}`)}. ` +
            (codeOf(error) === 'ENOENT' ? 'The command flock (Debian package util-linux) is needed.' : ''),
          { cause: error },
        )
  }
  ftruncateSync(file)
  writeSync(file, `${process.pid}\n`)
  return {
    release() {
      ftruncateSync(file)
      closeSync(file)
    },
  }
}

function holderOf(path: string): string {
  const pid = readFileSync(path, 'utf8').trim()
  return /^\d+$/.test(pid) ? `process ${pid}` : 'another process'
}
