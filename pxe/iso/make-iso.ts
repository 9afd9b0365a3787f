/** GRUB's programs and xorriso make an ISO that BIOS and UEFI boot; it is told where the files of one machine lie. */
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { confined } from '@appliance/ground/confine'
import { codeOf } from '@appliance/ground/errno'
import { PxeError } from '../config.ts'
import { FIRST_CONFIG, fileName } from './grub-config.ts'

/** Where in the file they begin, in bytes. */
export type Places = { config_at: number; files_at: number }
type Making = {
  work: string
  iso: string
  /** The kernel first. */
  files: readonly string[]
  config_bytes: number
  files_bytes: number
}

const TIMEOUT_MS = 300_000
const SECTOR_BYTES = 2048
/** Of either, or nothing boots. */
const GRUBS = ['/usr/lib/grub/i386-pc', '/usr/lib/grub/x86_64-efi'] as const
const PACKAGES = 'grub-common, grub-pc-bin, grub-efi-amd64-bin, xorriso, dosfstools and mtools'
/** In its image, so that nothing of GRUB lies beside it. */
const MODULES = 'normal search search_fs_file iso9660 linux echo test configfile terminal reboot halt sleep'.split(' ')
const BIOS_MODULES = [...MODULES, 'biosdisk', 'vga_text', 'serial', 'all_video']
const EFI_MODULES = [...MODULES, 'fat', 'part_gpt', 'part_msdos', 'serial', 'all_video', 'efi_gop']
const EFI_IMAGE_KIB = 4096

/** @throws PxeError  a program is missing, or fails */
export async function makeIso({ work, iso, files, config_bytes, files_bytes }: Making): Promise<Places> {
  for (const grub of GRUBS) await stat(grub).catch(() => Promise.reject(missing(grub)))
  const folder = join(work, 'root')
  await mkdir(join(folder, 'rackstrap'), { recursive: true })
  await writeFile(join(folder, 'rackstrap/boot.cfg'), Buffer.alloc(config_bytes, '\n'))
  await writeFile(join(folder, 'rackstrap/machine'), Buffer.alloc(files_bytes))
  await makeBootImages(work, folder)
  const grafts = files.map((file, index) => `/rackstrap/${fileName(index)}=${file}`)
  const bios = ['-b', 'bios.img', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', '--grub2-boot-info']
  const uefi = ['-eltorito-alt-boot', '-e', 'efi.img', '-no-emul-boot']
  const how = ['-as', 'mkisofs', '-quiet', '-graft-points', '-R', '-V', 'RACKSTRAP', ...bios, ...uefi]
  await run('xorriso', [...how, '-o', iso, folder, ...grafts], { work, reads: files })
  const told = await run('xorriso', ['-indev', iso, '-find', '/rackstrap', '-type', 'f', '-exec', 'report_lba'], {
    work,
    reads: [],
  })
  return { config_at: placeIn(told, 'boot.cfg'), files_at: placeIn(told, 'machine') }
}

/** What a BIOS starts, and a file system with what UEFI starts. */
async function makeBootImages(work: string, folder: string): Promise<void> {
  const config = join(work, 'first.cfg')
  await writeFile(config, FIRST_CONFIG)
  const image = (format: string, out: string, modules: readonly string[]) =>
    run('grub-mkimage', ['-O', format, '-o', out, '-p', '/boot/grub', '-c', config, ...modules], { work, reads: GRUBS })
  await image('i386-pc-eltorito', join(folder, 'bios.img'), BIOS_MODULES)
  const efi = join(work, 'BOOTX64.EFI')
  await image('x86_64-efi', efi, EFI_MODULES)
  const fat = join(folder, 'efi.img')
  const o = { work, reads: [] }
  await run('mkfs.vfat', ['-C', fat, String(EFI_IMAGE_KIB)], o)
  await run('mmd', ['-i', fat, '::EFI', '::EFI/BOOT'], o)
  await run('mcopy', ['-i', fat, efi, '::EFI/BOOT/BOOTX64.EFI'], o)
}

/** `File data lba:  0 ,     9649 ,        8 ,    16384 , '/rackstrap/boot.cfg'` */
function placeIn(told: string, name: string): number {
  const line = told.split('\n').find((each) => each.endsWith(`'/rackstrap/${name}'`))
  const sector = /^File data lba:\s*\d+ ,\s*(\d+) ,/.exec(line ?? '')?.[1]
  if (sector === undefined) throw new PxeError(`The ISO of the deploy ramdisk could not be made: it lacks ${name}.`)
  return Number(sector) * SECTOR_BYTES
}

const missing = (what: string) =>
  new PxeError(`The ISO of the deploy ramdisk cannot be made: ${what} is missing. Install the packages ${PACKAGES}.`)

async function run(program: string, args: readonly string[], o: { work: string; reads: readonly string[] }) {
  const { work, reads } = o
  const { execa } = await import('execa')
  const result = await execa(...confined(program, args, { reads, writes: [work] }), {
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C', HOME: work, TMPDIR: work },
    extendEnv: false,
    stdin: 'ignore',
    cwd: work,
    reject: false,
    timeout: TIMEOUT_MS,
  })
  if (result.code === 'ENOENT' || codeOf(result.cause) === 'ENOENT' || result.exitCode === 127) throw missing(program)
  if (!result.failed) return result.stdout
  const words = result.stderr.trim().split('\n').slice(-3).join(' ').slice(0, 400)
  throw new PxeError(
    `The ISO of the deploy ramdisk could not be made: ${program} failed: ${words || result.shortMessage}`,
  )
}
