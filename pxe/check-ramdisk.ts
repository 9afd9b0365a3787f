/** Whether the deploy ramdisk can be booted: its list, its files, and for which processors its kernel is. */
import { constants } from 'node:fs'
import { access, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PxeError } from './config.ts'
import { isLeftOut } from './own-layers.ts'
import { type RamdiskFiles, readRamdiskFiles } from './ramdisk-files.ts'

type Wanted = {
  /** Layers that the deploy interface asks for. */
  layers?: readonly string[]
  /** Of the machine, as Ironic's properties/cpu_arch has it; undefined or another one: not compared. */
  cpu_arch?: string
}
/** Linux Documentation/arch/x86/boot.rst (HdrS), Documentation/arch/arm64/booting.rst (magic). */
const MAGICS = [
  { arch: 'x86_64', at: 0x202, magic: 'HdrS' },
  { arch: 'aarch64', at: 0x38, magic: 'ARM\x64' },
] as const
const HEAD_BYTES = 0x206

/**
 * Reads little more than names and sizes, so that it may be asked before each boot.
 * @throws PxeError  what is wrong with it, and how to build one
 */
export async function checkRamdisk(
  ramdisk_path: string,
  { layers = [], cpu_arch }: Wanted = {},
): Promise<RamdiskFiles> {
  const files = await readRamdiskFiles(ramdisk_path)
  const wanted = files.takes_layers ? layers.filter((name) => !isLeftOut(files, name)) : []
  const over = wanted.map((name) => layerFile(files, ramdisk_path, name))
  for (const name of [files.kernel, ...files.core, ...over]) await checkFile(ramdisk_path, name)
  if (cpu_arch !== undefined) await checkArchitecture(ramdisk_path, files.kernel, cpu_arch)
  return files
}

const build = (ramdisk_path: string) => `"rackstrap ramdisk build --output ${ramdisk_path}"`

function layerFile({ layers }: RamdiskFiles, ramdisk_path: string, name: string): string {
  const file = Object.hasOwn(layers, name) ? layers[name] : undefined
  if (file !== undefined) return file
  const there = Object.keys(layers).join(', ') || 'none'
  throw new PxeError(
    `The deploy ramdisk in ${ramdisk_path} has no layer "${name}" (there: ${there}). Build it again with that layer: ${build(ramdisk_path)}.`,
  )
}

async function checkFile(ramdisk_path: string, name: string): Promise<void> {
  const file = join(ramdisk_path, name)
  const refused = (found: string, cause?: unknown) =>
    new PxeError(
      `The deploy ramdisk cannot be used: ${file} ${found}. Build it again with ${build(ramdisk_path)}, or correct [pxe] ramdisk_path.`,
      { cause },
    )
  try {
    const status = await stat(file)
    if (!status.isFile()) throw refused('is no file')
    if (status.size === 0) throw refused('is empty')
    await access(file, constants.R_OK)
  } catch (cause) {
    if (cause instanceof PxeError) throw cause
    throw refused(`cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause)
  }
}

/** A kernel whose kind is not known is left to the machine. */
async function checkArchitecture(ramdisk_path: string, kernel: string, cpu_arch: string): Promise<void> {
  if (!MAGICS.some(({ arch }) => arch === cpu_arch)) return
  await using file = await open(join(ramdisk_path, kernel))
  const head = Buffer.alloc(HEAD_BYTES)
  await file.read(head, 0, HEAD_BYTES, 0)
  const found = MAGICS.find(({ at, magic }) => head.toString('latin1', at, at + magic.length) === magic)
  if (found === undefined || found.arch === cpu_arch) return
  throw new PxeError(
    `The deploy ramdisk in ${ramdisk_path} is for ${found.arch}, and the machine is ${cpu_arch} (properties/cpu_arch). ` +
      `Build one on an ${cpu_arch} box, or correct properties/cpu_arch.`,
  )
}

/** Of the box for a moment, and nothing that somebody has to mend. */
const PASSING: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR', 'EIO', 'ESTALE', 'ETIMEDOUT']

/** Whether a refusal stays what it is until somebody does something. */
export const isLasting = ({ cause }: PxeError): boolean =>
  !PASSING.includes((cause as NodeJS.ErrnoException | undefined)?.code)
