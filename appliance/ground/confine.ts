/**
 * How child processes start: with less than this process has. Every program that the appliance runs goes through here,
 * the same as root and under the unit. Starts nothing itself.
 */
import { accessSync, constants, realpathSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import process from 'node:process'
import { leadsNowhere } from './errno.ts'

export type Confinement = {
  /** Files and folders that it may read, beside what every program needs of the system. */
  reads?: readonly string[]
  /** Files and folders that it may change, and folders in which it may make others. */
  writes?: readonly string[]
  /**
   * For programs that nobody knows beforehand: they see the whole system but these folders, out of which `reads` and
   * `writes` give back a part. They get no filter of system calls.
   */
  hides?: readonly string[]
  /** With `hides` alone. Otherwise it opens no unix socket, as those of the appliance ask its account no password. */
  opensUnixSockets?: boolean
  /** Where this is root: who it runs as, with these groups and no others. Under the unit nobody can be another. */
  account?: { uid: number; gid: number; groups?: readonly number[] }
  /** It opens no socket of any kind. */
  isOffline?: boolean
  /** Left out: none. */
  capabilities?: readonly Capability[]
  limits?: { address_space_bytes?: number; cpu_s?: number; file_bytes?: number }
  nice?: number
  /** It is killed when the thread that started it ends, however that ends. Left out: it is. */
  endsWithUs?: boolean
  /** Where programs are looked for. Default: the PATH of this process. */
  search_path?: string
}

/** Nobody and nogroup, on every Debian: they own nothing. */
export const NOBODY = { uid: 65534, gid: 65534 } as const

/** Their numbers. @source linux/capability.h */
const CAPABILITIES = {
  chown: 0,
  setgid: 6,
  setuid: 7,
  net_bind_service: 10,
  net_admin: 12,
  net_raw: 13,
} as const
export type Capability = keyof typeof CAPABILITIES

/** Debian has it on every box; a PATH decides nothing here. */
const PERL = '/usr/bin/perl'
const LAUNCHER = join(import.meta.dirname, 'confine.pl')

/**
 * A child without capabilities, without core dumps, unable to gain privileges; with Landlock (Linux 5.13, Debian 12)
 * it reaches the named files alone, no process outside its own and no memory of one; with a filter of system calls.
 * Exit status 126: a limit or a rule was refused, standard error says which.
 * @returns what to spawn. A program that is not there is returned as it is: spawn says ENOENT then
 */
export function confined(file: string, args: readonly string[], confinement: Confinement): [string, string[]] {
  const path = pathOf(file, confinement.search_path ?? process.env.PATH ?? '')
  if (path === undefined) return [file, [...args]]
  const reads = [...(confinement.reads ?? []), path]
  return [PERL, [LAUNCHER, ...optionsOf({ ...confinement, reads }), '--', path, ...args]]
}

function optionsOf({ hides, reads = [], writes = [], capabilities = [], ...more }: Confinement): string[] {
  const { account } = more
  const { address_space_bytes, cpu_s, file_bytes } = more.limits ?? {}
  const options: [string, string | number | undefined][] = [
    ['--open', hides && 1],
    ...(hides ?? []).map((path): [string, string] => ['--hide', realPath(path)]),
    ...reads.map((path): [string, string] => ['--read', resolve(path)]),
    ...writes.map((path): [string, string] => ['--write', resolve(path)]),
    ...capabilities.map((name): [string, number] => ['--cap', CAPABILITIES[name]]),
    ['--limit-as', address_space_bytes],
    ['--limit-cpu', cpu_s],
    ['--limit-fsize', file_bytes],
    ['--nice', more.nice],
    ['--parent', more.endsWithUs === false ? undefined : process.pid],
    ['--account', isRoot() ? account && [account.uid, account.gid, ...(account.groups ?? [])].join(':') : undefined],
    ['--offline', more.isOffline ? 1 : undefined],
    ['--unix', hides && more.opensUnixSockets ? 1 : undefined],
  ]
  return options.flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]))
}

const isRoot = () => process.getuid?.() === 0

/** As execvp(3) finds it. */
function pathOf(file: string, search_path: string): string | undefined {
  if (file.includes('/')) return isProgram(file) ? file : undefined
  const found = search_path.split(delimiter).find((folder) => folder !== '' && isProgram(join(folder, file)))
  return found === undefined ? undefined : join(found, file)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Not there, or not to be run: who starts it hears so.
    return false
  }
}

/** A rule of Landlock is about the folder, by whatever name it is reached. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    if (leadsNowhere(error)) return resolve(path)
    throw error
  }
}
