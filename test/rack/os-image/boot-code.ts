/**
 * GRUB on a disk that no kernel of ours ever mounted: BIOS boot code written by hand, and a boot partition for UEFI.
 */
import { copyFile, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../run-program.ts'

const SECTOR = 512
/** Fields of GRUB's boot.img and of the first sector of core.img. @source grub-core/boot/i386/pc/{boot,diskboot}.S */
const BOOT_CODE_END = 440
const KERNEL_SECTOR_AT = 0x5c
const DRIVE_CHECK_AT = 0x66
const TWO_NOPS = 0x9090
const BLOCK_LIST_AT = 0x1f4
const CORE_SEGMENT = 0x0820

const MODULES = ['part_gpt', 'ext2', 'fat', 'search', 'search_label', 'normal', 'linux', 'boot', 'echo', 'configfile']

type Grub = { folder: string; config: string; signal: AbortSignal }

function makeImage(format: string, modules: readonly string[], output: string, { config, signal }: Grub) {
  const args = ['-O', format, '-c', config, '-p', '/boot/grub', '-o', output, ...MODULES, ...modules]
  return run('grub-mkimage', args, { signal, timeout_s: 60 })
}

/** @param core_sector  where the BIOS boot partition begins */
export async function installBiosGrub(disk: string, core_sector: number, grub: Grub): Promise<void> {
  const output = join(grub.folder, 'core.img')
  await makeImage('i386-pc', ['biosdisk'], output, grub)
  const core = await readFile(output)
  core.writeBigUInt64LE(BigInt(core_sector + 1), BLOCK_LIST_AT)
  core.writeUInt16LE(Math.ceil(core.length / SECTOR) - 1, BLOCK_LIST_AT + 8)
  core.writeUInt16LE(CORE_SEGMENT, BLOCK_LIST_AT + 10)
  const boot = (await readFile('/usr/lib/grub/i386-pc/boot.img')).subarray(0, BOOT_CODE_END)
  boot.writeBigUInt64LE(BigInt(core_sector), KERNEL_SECTOR_AT)
  boot.writeUInt16LE(TWO_NOPS, DRIVE_CHECK_AT)
  await using file = await open(disk, 'r+')
  await file.write(boot, 0, boot.length, 0)
  await file.write(core, 0, core.length, core_sector * SECTOR)
}

/** Writes an EFI system partition of `size_mib` that holds only GRUB. */
export async function makeEfiPartition(partition: string, size_mib: number, grub: Grub): Promise<void> {
  const output = join(grub.folder, 'grubx64.efi')
  await makeImage('x86_64-efi', ['efi_gop', 'gzio'], output, grub)
  await writeFile(partition, '')
  await run('truncate', ['-s', `${size_mib}M`, partition])
  await run('mkfs.vfat', ['-F', '32', '-n', 'RACK-EFI', partition], { signal: grub.signal })
  await run('mmd', ['-i', partition, '::/EFI', '::/EFI/BOOT'], { signal: grub.signal })
  const renamed = join(grub.folder, 'BOOTX64.EFI')
  await copyFile(output, renamed)
  await run('mcopy', ['-i', partition, renamed, '::/EFI/BOOT/BOOTX64.EFI'], { signal: grub.signal })
}
