/**
 * Watches over a rack from outside: what it left is cleared away also when its process is killed, or a test runner
 * ends it.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** @returns how to tell that the rack was cleared away in order */
export function guardRack(namespace: string, folder: string): () => void {
  // In a session of its own: no signal from the terminal reaches it, and the pipe ends with this process alone.
  const guard = spawn(join(import.meta.dirname, 'guard'), [namespace, folder], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.on('error', () => {})
  guard.stdin.on('error', () => {})
  guard.unref()
  return () => void guard.stdin.end('done\n')
}
