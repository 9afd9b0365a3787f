/**
 * What a kickstart deploy needs in the virtual rack: a stand-in for an installer (kernel, initial ramdisk, stage2), and
 * the rack's small Debian as a tarball and as a squashfs. Made of what the rack has built already; needs root.
 */
import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { compressArchive, type Entry, packCpio } from '../../../pxe/ramdisk/cpio.ts'
import { cached, sha256Of, type Tell } from '../cache.ts'
import { installBiosGrub, makeEfiPartition } from '../os-image/boot-code.ts'
import { ensureOsImage } from '../os-image/build.ts'
import { ensureRamdisk } from '../ramdisk.ts'
import { run } from '../run-program.ts'

type Installer = { folder: string; kernel: string; ramdisk: string; stage2: string }
/** What machines are installed with by a kickstart. */
export type Installation = {
  installer: Installer
  /** Of a tarball or squashfs. */
  path: string
  sha256: string
  bytes: number
  /** It takes its host name from the config drive. */
  isOwn: true
}
export const INSTALLER_PARAMETERS = 'console=ttyS0,115200n8 loglevel=4 tsc=reliable no_timer_check'
const LIVE_IMAGES = { tarball: 'root.tar.gz', squashfs: 'root.squashfs' } as const

const HERE = import.meta.dirname
const SECTOR = 512
/** As `layout` has them. */
const CORE_SECTOR = 2048
const EFI_MIB = 40
/** The root of the small Debian in its disk, as os-image/build.ts cuts it. */
const ROOT_AT_MIB = 42
const BOOT_CODE_BYTES = 440
/** Of the Debian: a machine that only boots and phones home does without, and each byte costs time here. */
const WITHOUT = ['usr/share/doc', 'usr/share/locale', 'usr/share/perl', 'usr/lib/python3*', 'usr/share/python3']
const WITHOUT_TOO = ['var/cache', 'var/lib/apt', 'usr/share/zoneinfo', 'usr/lib/x86_64-linux-gnu/perl*', 'lost+found']

/** @returns files in the cache, made when they were not made before */
export async function ensureInstallation(
  signal: AbortSignal,
  { tell, of = 'tarball' }: { tell?: Tell; of?: keyof typeof LIVE_IMAGES } = {},
): Promise<Installation> {
  const ramdisk = await ensureRamdisk(signal, { plugins: [join(HERE, 'ramdisk')], ...(tell ? { tell } : {}) })
  const os = await ensureOsImage(signal, tell)
  const digest = recipeDigest([ramdisk.folder, os.digest])
  const folder = await cached('installer', digest, async (work) => {
    await mkdir(work, { recursive: true })
    await makeRamdisk(work, ramdisk.folder, signal)
    await makeLiveImages(work, os.raw, signal)
  })
  const file = (name: string) => join(folder, name)
  const path = file(LIVE_IMAGES[of])
  return {
    installer: { folder, kernel: file('vmlinuz'), ramdisk: file('initrd.img'), stage2: file('install.img') },
    ...{ path, sha256: await sha256Of(path, signal), bytes: (await stat(path)).size, isOwn: true },
  }
}

function recipeDigest(parts: readonly string[]): string {
  const hash = createHash('sha256').update(parts.join('\0'))
  for (const name of globSync('**/*', { cwd: HERE }).sort()) {
    const path = join(HERE, name)
    if (statSync(path).isFile()) hash.update(`${name}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 12)
}

/** The kernel wants each archive to begin at a multiple of four bytes. */
const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])

async function makeRamdisk(work: string, ramdisk: string, signal: AbortSignal): Promise<void> {
  const names = await readdir(ramdisk)
  const found = async (begin: string) => {
    const name = names.find((one) => one.startsWith(begin))
    if (name === undefined) throw new Error(`the deploy ramdisk has no ${begin}`)
    return readFile(join(ramdisk, name))
  }
  await writeFile(join(work, 'vmlinuz'), await found('vmlinuz-'))
  const pieces = [
    ...(await Promise.all(['base-', 'modules-', 'layer-installer-'].map(found))),
    await compressArchive(packCpio(await bootFiles(work, signal))),
  ]
  await writeFile(join(work, 'initrd.img'), Buffer.concat(pieces.map(padded)))
}

/** GRUB as bytes, since no one installs it on the machine: the small Debian brings none. */
async function bootFiles(work: string, signal: AbortSignal): Promise<Entry[]> {
  const grub = { folder: work, config: join(HERE, '../os-image/grub.cfg'), signal }
  const disk = join(work, 'bios.raw')
  await writeFile(disk, '')
  await installBiosGrub(disk, CORE_SECTOR, grub)
  const bios = await readFile(disk)
  const efi = join(work, 'efi.fat')
  await makeEfiPartition(efi, EFI_MIB, grub)
  const files = {
    'boot.bin': bios.subarray(0, BOOT_CODE_BYTES),
    'core.bin': bios.subarray(CORE_SECTOR * SECTOR),
    'efi.gz': gzipSync(await readFile(efi)),
    layout: await readFile(join(HERE, 'layout')),
  }
  for (const name of ['bios.raw', 'efi.fat', 'core.img', 'grubx64.efi', 'BOOTX64.EFI']) await rm(join(work, name))
  const own = ['init', 'usr/lib/stand-in/install', 'usr/lib/stand-in/lease'].map(
    async (path): Promise<Entry> => ({
      ...{ path, kind: 'file', executable: true },
      content: await readFile(join(HERE, 'root', path)),
    }),
  )
  return [
    ...(await Promise.all(own)),
    ...Object.entries(files).map(
      ([name, content]): Entry => ({ path: `usr/lib/stand-in/${name}`, kind: 'file', content }),
    ),
  ]
}

async function makeLiveImages(work: string, disk: string, signal: AbortSignal): Promise<void> {
  const [system, root] = [join(work, 'root.ext4'), join(work, 'root')]
  await run('dd', [`if=${disk}`, `of=${system}`, 'bs=1M', `skip=${ROOT_AT_MIB}`, 'conv=sparse', 'status=none'], {
    signal,
  })
  await mkdir(root)
  await run('debugfs', ['-R', `rdump / ${root}`, system], { signal, timeout_s: 300 })
  await rm(system)
  for (const pattern of [...WITHOUT, ...WITHOUT_TOO]) {
    for (const name of globSync(pattern, { cwd: root })) await rm(join(root, name), { recursive: true })
  }
  await cp(join(HERE, 'overlay'), root, { recursive: true })
  const pack = 'tar --create --numeric-owner --sort=name . | gzip -1 > "$1"'
  await run('sh', ['-ec', pack, 'pack', join(work, LIVE_IMAGES.tarball)], { cwd: root, signal, timeout_s: 300 })
  const squash = ['-noappend', '-quiet', '-no-progress', '-comp', 'gzip', '-Xcompression-level', '1']
  await run('mksquashfs', [root, join(work, LIVE_IMAGES.squashfs), ...squash], { signal, timeout_s: 300 })
  await run('mksquashfs', [join(HERE, 'overlay'), join(work, 'install.img'), ...squash], { signal })
  await rm(root, { recursive: true })
}
