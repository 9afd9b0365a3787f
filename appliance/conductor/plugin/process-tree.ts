/**
 * Ends a program with all that it started, those included that made a session of their own: each carries a mark in its
 * environment. A daemon that writes its title over that, as ssh's ControlPersist does, is known by the folder
 * that it works in. Starts nothing.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

/** In the environment of each program that runs for a node: UUID/RANDOM. */
const MARK = 'RACKSTRAP_TASK'
const POLL_MS = 20

export const markOf = (node_uuid: string): Record<typeof MARK, string> => ({
  [MARK]: `${node_uuid}/${crypto.randomUUID()}`,
})

/**
 * @param group  leader of a process group, when it was started
 * @param tree.mark  as `markOf` gave it
 * @param tree.cwd  the folder that it was started in
 * @param after_ms  so long they may take to end by themselves
 */
export async function endTree(
  group: number | undefined,
  { mark, cwd }: { mark: Readonly<Record<typeof MARK, string>>; cwd: string },
  after_ms: number,
): Promise<void> {
  const isMeant = async (pid: string, found: string | undefined) =>
    found === undefined ? cwd !== '/' && (await isDaemonIn(cwd, pid)) : found === mark[MARK]
  const left = async () => [
    ...(group !== undefined && tell([-group], 0) ? [-group] : []),
    ...(await processesThat(isMeant)),
  ]
  const end_ms = performance.now() + after_ms
  let pids = await left()
  tell(pids, 'SIGTERM')
  while (pids.length > 0 && performance.now() < end_ms) {
    await pause(POLL_MS)
    pids = await left()
  }
  // What this does not end waits for hardware, and nobody can help it.
  tell(pids, 'SIGKILL')
}

/** What an appliance that was killed has left behind for its nodes. */
export async function endStrays(isOurs: (node_uuid: string) => boolean): Promise<void> {
  tell(await processesThat(async (_pid, mark = '') => isOurs(mark.split('/', 1)[0] ?? '')), 'SIGKILL')
}

/** A session of its own, and no terminal: nobody's shell. @source proc_pid_stat(5): fields 1, 6 and 7 */
async function isDaemonIn(folder: string, pid: string): Promise<boolean> {
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined)
  if (cwd !== folder) return false
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  const [, , , session, terminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return session === pid && terminal === '0'
}

/** Of this account; root sees all. */
async function processesThat(isMeant: (pid: string, mark: string | undefined) => Promise<boolean>): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      // Another's, or it has ended.
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
      const mark = environment.split('\0').find((entry) => entry.startsWith(`${MARK}=`))
      return (await isMeant(pid, mark?.slice(MARK.length + 1))) ? [Number(pid)] : []
    }),
  )
  return found.flat()
}

/** @returns whether one of them is there */
function tell(pids: readonly number[], signal: NodeJS.Signals | 0): boolean {
  return (
    pids.filter((pid) => {
      try {
        return process.kill(pid, signal)
      } catch {
        // It has ended by itself.
        return false
      }
    }).length > 0
  )
}
