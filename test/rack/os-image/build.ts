/**
 * A small Debian that boots from its disk on BIOS and UEFI and phones home. Built once per recipe; needs root, and no
 * loop device.
 */
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, sha256Of, type Tell } from '../cache.ts'
import { run } from '../run-program.ts'
import { installBiosGrub, makeEfiPartition } from './boot-code.ts'
import { DISK_MIB, ROOT_LABEL, recipeDigest } from './recipe.ts'
import { buildRoot } from './root.ts'

const SECTORS_PER_MIB = 2048
const BIOS_BOOT_MIB = 1
const EFI_MIB = 40
const EFI_AT_MIB = 2
const ROOT_AT_MIB = EFI_AT_MIB + EFI_MIB
/** The last MiB is the second GPT's. */
const ROOT_MIB = DISK_MIB - ROOT_AT_MIB - 1

const LAYOUT = `label: gpt
start=${BIOS_BOOT_MIB * SECTORS_PER_MIB}, size=${SECTORS_PER_MIB}, type=21686148-6449-6E6F-744E-656564454649
start=${EFI_AT_MIB * SECTORS_PER_MIB}, size=${EFI_MIB * SECTORS_PER_MIB}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
start=${ROOT_AT_MIB * SECTORS_PER_MIB}, size=${ROOT_MIB * SECTORS_PER_MIB}, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
`

export type OsImage = {
  raw: string
  qcow2: string
  /** Of the recipe. */
  digest: string
  /** Of the raw file. */
  sha256: string
  size_bytes: number
}

/** @returns the image's files in the cache, built when this recipe was not built before */
export async function ensureOsImage(signal: AbortSignal, tell?: Tell): Promise<OsImage> {
  const digest = recipeDigest()
  const folder = await cached('os-image', digest, (work) => assemble(work, signal, tell))
  return {
    raw: join(folder, 'disk.raw'),
    qcow2: join(folder, 'disk.qcow2'),
    digest,
    sha256: await readFile(join(folder, 'disk.raw.sha256'), 'utf8'),
    size_bytes: DISK_MIB * 1024 * 1024,
  }
}

async function assemble(work: string, signal: AbortSignal, tell?: Tell): Promise<void> {
  const file = (name: string) => join(work, name)
  const grub = { folder: work, config: join(import.meta.dirname, 'grub.cfg'), signal }
  await mkdir(work, { recursive: true })
  await buildRoot(file('root'), signal, { tell })
  tell?.(`making a disk of ${DISK_MIB} MiB`)
  await writeFile(file('disk.raw'), '')
  await truncate(file('disk.raw'), DISK_MIB * 1024 * 1024)
  await run('sfdisk', ['--quiet', file('disk.raw')], { signal, input: LAYOUT })
  const features = '^metadata_csum_seed,^orphan_file'
  const filesystem = ['-q', '-t', 'ext4', '-L', ROOT_LABEL, '-O', features, '-m', '1', '-d', file('root')]
  await writeFile(file('root.ext4'), '')
  await truncate(file('root.ext4'), ROOT_MIB * 1024 * 1024)
  await run('mke2fs', [...filesystem, file('root.ext4')], { signal })
  await makeEfiPartition(file('efi.fat'), EFI_MIB, grub)
  for (const [part, at_mib] of [
    ['root.ext4', ROOT_AT_MIB],
    ['efi.fat', EFI_AT_MIB],
  ] as const) {
    const place = ['bs=1M', `seek=${at_mib}`, 'conv=notrunc,sparse', 'status=none']
    await run('dd', [`if=${file(part)}`, `of=${file('disk.raw')}`, ...place], { signal })
  }
  await installBiosGrub(file('disk.raw'), BIOS_BOOT_MIB * SECTORS_PER_MIB, grub)
  await run('qemu-img', ['convert', '-O', 'qcow2', file('disk.raw'), file('disk.qcow2')], { signal })
  await writeFile(file('disk.raw.sha256'), await sha256Of(file('disk.raw'), signal))
  for (const name of ['root', 'root.ext4', 'efi.fat', 'core.img', 'grubx64.efi', 'BOOTX64.EFI']) {
    await rm(file(name), { recursive: true })
  }
}
