/**
 * Files for one machine alone, made into one more archive that its kernel unpacks over the deploy ramdisk, ours or a
 * stock one.
 */
import { posix } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { PxeError } from './config.ts'
import { type Entry, packCpio } from './ramdisk/cpio.ts'

export type MachineFile = {
  /** Absolute. Folders on the way to it are made. */
  path: string
  content: string
  /** 0o600 when left out. */
  mode?: number
}

/** Base for iPXE and the kernel, which know the archive by this name. */
export const MACHINE_FILES = 'machine.cpio'
const MACHINE_FILES_LIMIT_BYTES = 256 * 1024
const COUNT_LIMIT = 100
const PATH_LIMIT = 512
const MODE_BITS = 0o777
const STANDARD_MODE = 0o600
/** Brackets: certs.d has folders such as [fd66::1]:5000. */
const NAME = /^[\w@+.,:=~[\]-]+$/
/**
 * A folder that an archive names takes the place of a link of that name, and its mode that of a folder's: so the
 * links of a merged /usr are gone round, and what is usually not 0755 is named.
 */
const LINKS: readonly (readonly [RegExp, string])[] = [
  [/^(bin|sbin|lib|lib32|lib64)\//, 'usr/$1/'],
  [/^var\/run\//, 'run/'],
  [/^var\/lock\//, 'run/lock/'],
]
const FOLDER_MODES: Readonly<Record<string, number>> = { root: 0o700, tmp: 0o1777, 'var/tmp': 0o1777 }
/** Mounted over, or not to be touched, while a ramdisk starts: what is put there is not seen. */
const NOT_FOR_FILES = /^\/(dev|proc|sys)\//

/** @throws PxeError  a path that is no place for a file, two for one path, too much in all */
export function checkMachineFiles(files: readonly MachineFile[]): void {
  const seen = new Set<string>()
  for (const { path, mode = STANDARD_MODE } of files) {
    const names = path.split('/').slice(1)
    const isPath = path.startsWith('/') && posix.normalize(path) === path && names.every((name) => NAME.test(name))
    if (!isPath || path.length > PATH_LIMIT || NOT_FOR_FILES.test(path)) {
      throw refused(
        `"${path}" as a path: an absolute one without "..", of plain characters, outside /dev, /proc and /sys is expected`,
      )
    }
    if (!Number.isInteger(mode) || (mode & ~MODE_BITS) !== 0)
      throw refused(`mode ${mode} for ${path}: 0 to 0o777 is expected`)
    const inner = innerPath(path)
    if (seen.has(inner)) throw refused(`${path} twice`)
    seen.add(inner)
  }
  const inside = [...seen].find((path) => [...seen].some((other) => other.startsWith(`${path}/`)))
  if (inside !== undefined) throw refused(`/${inside} as a file and as a folder`)
  if (files.length > COUNT_LIMIT) throw refused(`${files.length} files: at most ${COUNT_LIMIT} are taken`)
  const size = files.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
  if (size > MACHINE_FILES_LIMIT_BYTES) throw refused(`${size} bytes: at most ${MACHINE_FILES_LIMIT_BYTES} are taken`)
}

const refused = (found: string) => new PxeError(`The files for a machine's deploy ramdisk hold ${found}.`)

const innerPath = (path: string) => LINKS.reduce((result, [from, to]) => result.replace(from, to), path.slice(1))

const compress = promisify(gzip)

/**
 * Compressed by what every kernel has: an archive that is not must begin at a multiple of four, and a boot loader may
 * not see to that.
 */
export async function packMachineFiles(files: readonly MachineFile[]): Promise<Buffer> {
  checkMachineFiles(files)
  const entries = files.map(({ path, content, mode = STANDARD_MODE }): Entry => {
    return { path: innerPath(path), kind: 'file', content: Buffer.from(content), mode }
  })
  const folders = Object.entries(FOLDER_MODES)
    .filter(([folder]) => entries.some(({ path }) => path.startsWith(`${folder}/`)))
    .map(([path, mode]): Entry => ({ path, kind: 'folder', mode }))
  return compress(packCpio([...folders, ...entries]))
}
