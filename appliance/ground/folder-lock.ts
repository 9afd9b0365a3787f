/**
 * One process for each folder. The kernel holds the lock, so the lock ends with the process, however the process
 * ends.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from './errno.ts'

const FILE_MODE = 0o600
const CONFLICT = 75
const DEADLINE_MS = 10_000

export type FolderLock = { release(): void }

/** The errors of the caller's own kind. */
export type LockErrors = {
  /** @param holder  "process 123", or "another process" */
  inUse(holder: string): Error
  /** @param text  whole sentences */
  failed(text: string, options: ErrorOptions): Error
}

/**
 * Node has no flock(2), util-linux has: its child locks the open file that it was given, which is ours too, and the
 * lock stays for as long as we keep the file open. No process looks at a pid and then acts on it, so two cannot race.
 * A lock of another container or network namespace counts as well. The file `lock` stays behind: after a removal two
 * processes could lock two files.
 * @throws what `errors` makes; an error of open(2) as it is
 */
export function lockFolder(folder: string, errors: LockErrors): FolderLock {
  const path = join(folder, 'lock')
  const file = openSync(path, 'a+', FILE_MODE)
  const { status, error, stderr } = spawnSync('flock', ['--nonblock', '--conflict-exit-code', String(CONFLICT), '3'], {
    stdio: ['ignore', 'ignore', 'pipe', file],
    timeout: DEADLINE_MS,
    encoding: 'utf8',
  })
  if (status !== 0) {
    closeSync(file)
    if (status === CONFLICT) throw errors.inUse(holderOf(path))
    const why = error?.message ?? (stderr.trim() || `flock ended with status ${status}`)
    const cure = codeOf(error) === 'ENOENT' ? ' The command flock (Debian package util-linux) is needed.' : ''
    throw errors.failed(`${path} cannot be locked: ${why}.${cure}`, { cause: error })
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
