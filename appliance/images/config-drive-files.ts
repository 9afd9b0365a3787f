/**
 * The files of a config drive, for installers that write them by themselves. The drive may be a stranger's: it is read
 * by a program with limits, off the event loop.
 */
import { mkdtempDisposable, open, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InvalidParameterValue } from '../errors.ts'
import type { ConfigDriveFile } from '../plugin-api/index.ts'
import { unpackConfigDrive } from './config-drive.ts'
import { runProgram } from './file/programs.ts'

const MIB = 1024 * 1024
const COUNT_LIMIT = 200
const LIMIT_BYTES = 8 * MIB
const LIST_LIMIT_CHARACTERS = 64 * 1024
const LIMITS = { address_space_bytes: 512 * MIB, cpu_s: 10, file_bytes: LIMIT_BYTES }
const PATH = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/

/**
 * @param encoded  base64 of a gzipped ISO 9660 volume with Rock Ridge names
 * @returns sorted by path. @throws InvalidParameterValue, NotInstalled, ImageUnacceptable  repeats nothing of it
 */
export async function readConfigDriveFiles(encoded: string, signal: AbortSignal): Promise<ConfigDriveFile[]> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'config-drive-'))
  const volume = join(folder.path, 'volume.iso')
  await writeVolume(volume, encoded)
  const files: ConfigDriveFile[] = []
  let bytes = 0
  for (const path of await pathsIn(volume, signal)) {
    const content = await contentOf(volume, path, join(folder.path, 'content'), signal)
    bytes += content.length
    if (bytes > LIMIT_BYTES) throw refused(`more than ${LIMIT_BYTES / MIB} MiB of files`)
    files.push({ path, content })
  }
  return files
}

async function writeVolume(path: string, encoded: string): Promise<void> {
  await using file = await open(path, 'w', 0o600)
  await unpackConfigDrive(encoded, (piece) => file.appendFile(piece))
}

const refused = (found: string) =>
  new InvalidParameterValue(`The config drive cannot be handed to an installer: it has ${found}.`)

const program = (volume: string, args: readonly string[], signal: AbortSignal) => ({
  ...{
    file: 'isoinfo',
    args: ['-R', '-i', volume, ...args],
    reads: [volume],
    limits: LIMITS,
    nice: 0,
    timeout_s: 30,
    signal,
    about: 'The config drive',
  },
})

/** Files only: folders are listed, too. */
async function pathsIn(volume: string, signal: AbortSignal): Promise<string[]> {
  let text = ''
  const onOutput = (piece: string) => {
    text = (text + piece).slice(0, LIST_LIMIT_CHARACTERS)
  }
  await runProgram({ ...program(volume, ['-f'], signal), onOutput })
  const paths = text.split('\n').flatMap((line) => (line === '' ? [] : [line.replace(/^\//, '')]))
  const odd = paths.find((path) => !PATH.test(path) || path.split('/').some((part) => /^\.+$/.test(part)))
  if (odd !== undefined) {
    throw refused(
      `a file whose name is not of letters, digits, ".", "_" and "-" (${JSON.stringify(odd.slice(0, 100))}; Rock Ridge names are read)`,
    )
  }
  const files = paths.filter((path) => !paths.some((other) => other.startsWith(`${path}/`))).sort()
  if (files.length > COUNT_LIMIT) throw refused(`${files.length} files: at most ${COUNT_LIMIT} are taken`)
  return files
}

async function contentOf(volume: string, path: string, to: string, signal: AbortSignal): Promise<Uint8Array> {
  await using file = await open(to, 'w', 0o600)
  await runProgram({ ...program(volume, ['-x', `/${path}`], signal), stdout: file.fd })
  return readFile(to)
}
