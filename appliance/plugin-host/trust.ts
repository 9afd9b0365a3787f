/**
 * Who could have written a plugin. It runs as the appliance, so nobody else may: as sshd looks at a user's keys. Runs
 * and reads no code.
 */
import { realpathSync, type Stats, statSync } from 'node:fs'
import { lstat, opendir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { PluginRefused } from './manifest.ts'

const ROOT = 0
const STICKY = 0o1000
const GROUP_WRITES = 0o020
const OTHERS_WRITE = 0o002
const OTHERS_READ = 0o004
const OTHERS_SEARCH = 0o001
/** Of a plugin's folder; more is most likely another folder than was meant. */
const ENTRY_LIMIT = 1_000
/** What npm and git keep in a folder is theirs. */
const NOT_LOOKED_AT: readonly string[] = ['node_modules', '.git']

/**
 * Accounts that can have the appliance run anything, whoever wrote the plugin: root, this one, the owner of the
 * appliance's code and that of its state folder, and who called sudo.
 */
export function trustedAccounts(state_path?: string, env: NodeJS.ProcessEnv = process.env): readonly number[] {
  const own = process.geteuid?.() ?? ROOT
  const sudo = own === ROOT ? Number.parseInt(env.SUDO_UID ?? '', 10) : Number.NaN
  const owners = [import.meta.dirname, ...(state_path === undefined ? [] : [state_path])]
  return [
    ROOT,
    own,
    ...(Number.isNaN(sudo) ? [] : [sudo]),
    ...owners.flatMap((path) => statSync(path, { throwIfNoEntry: false })?.uid ?? []),
  ]
}

/** `problem`: may be written by anybody */
type Writable = { path: string; problem: string }

/**
 * The path, and each folder above it: as sshd looks at keys.
 * @returns what another account could write, and why; undefined: nothing, or it is not there
 */
export function whoElseWrites(path: string, accounts: readonly number[]): Writable | undefined {
  const real = realOf(path)
  if (real === undefined) return undefined
  const own = problemOf(statSync(real), accounts)
  if (own !== undefined) return { path: real, problem: own }
  for (const above of foldersAbove(real)) {
    const problem = parentProblem(statSync(above), accounts)
    if (problem !== undefined) return { path: above, problem }
  }
  return undefined
}

/** Whether accounts that are neither its owner nor in its group may read it. */
export function isReadByOthers(path: string): boolean {
  const real = realOf(path)
  if (real === undefined || (statSync(real).mode & OTHERS_READ) === 0) return false
  return foldersAbove(real).every((above) => (statSync(above).mode & OTHERS_SEARCH) !== 0)
}

/** From the one that holds it up, but for the root. */
function foldersAbove(path: string): string[] {
  const above = dirname(path)
  return above === dirname(above) ? [] : [above, ...foldersAbove(above)]
}

/** @returns undefined  it is no file or folder, or may not be looked at: who opens it hears so */
function realOf(path: string): string | undefined {
  try {
    const real = realpathSync(path)
    const stats = statSync(real)
    return stats.isFile() || stats.isDirectory() ? real : undefined
  } catch {
    return undefined
  }
}

/** @throws PluginRefused  another account could have written the folder, or something in it */
export async function requireTrust(folder: string, accounts: readonly number[]): Promise<void> {
  const real = await realpath(folder)
  for (const above of foldersAbove(real)) refuse(real, above, parentProblem(await stat(above), accounts))
  refuse(real, real, problemOf(await stat(real), accounts))
  let seen = 0
  for await (const { path, stats } of entriesOf(real)) {
    if (++seen > ENTRY_LIMIT) {
      throw new PluginRefused(`${real} holds more than ${ENTRY_LIMIT} files and folders: is it a plugin's folder?`)
    }
    if (!stats.isSymbolicLink()) refuse(real, path, problemOf(stats, accounts))
  }
}

async function* entriesOf(folder: string): AsyncGenerator<{ path: string; stats: Stats }> {
  for await (const { name } of await opendir(folder)) {
    if (NOT_LOOKED_AT.includes(name)) continue
    const path = join(folder, name)
    const stats = await lstat(path)
    yield { path, stats }
    if (stats.isDirectory()) yield* entriesOf(path)
  }
}

function refuse(folder: string, path: string, problem: string | undefined): void {
  if (problem === undefined) return
  throw new PluginRefused(
    `the plugin in ${folder} is refused, as it would run as this appliance: ${path} ${problem}. ` +
      `Look who wrote it, then: chown -R root: ${folder}, and chmod -R go-w ${path}.`,
  )
}

type Found = Pick<Stats, 'uid' | 'gid' | 'mode'>

/** @returns why others could have written it */
export function problemOf({ uid, gid, mode }: Found, accounts: readonly number[]): string | undefined {
  if (!accounts.includes(uid)) return `belongs to account ${uid}`
  if (mode & OTHERS_WRITE) return 'may be written by anybody'
  // A group of the owner's own, as Debian makes one for each account.
  if (mode & GROUP_WRITES && gid !== uid) return `may be written by group ${gid}`
  return undefined
}

/** In a sticky folder such as /tmp nobody replaces what is another's. */
const parentProblem = (found: Found, accounts: readonly number[]) =>
  found.mode & STICKY && accounts.includes(found.uid) ? undefined : problemOf(found, accounts)
