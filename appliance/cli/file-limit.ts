/** Warns of a low limit of open files before a server runs out of them, and explains errors that come of it. */
import { readFileSync } from 'node:fs'
import { codeOf } from '@appliance/ground/errno'
import { ApplianceError } from '../errors.ts'

/** Node and the appliance at rest have some 60 open, and each connection needs one or two. */
const WANTED = 256

const raise = 'Raise it by ulimit -n 4096 in the shell, or LimitNOFILE= in the unit.'

/** @throws ApplianceError  a server would run out of files */
export function requireFiles(): void {
  const limit = fileLimit()
  if (limit >= WANTED) return
  throw new ApplianceError(`At most ${limit} files may be open here: expected at least ${WANTED}. ${raise}`)
}

/** @returns the explanation; undefined: the process did not run out of files */
export function outOfFiles(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (codeOf(cause) === 'EMFILE') return `Too many files are open: the limit is ${fileLimit()}. ${raise}`
  return undefined
}

/** Node has raised the soft limit to the hard one already. @source proc(5), /proc/pid/limits */
function fileLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    // There is no /proc, or no file left to read it by: nothing is said about a limit that is not known.
    return Number.POSITIVE_INFINITY
  }
}
