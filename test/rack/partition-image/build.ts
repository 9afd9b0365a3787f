/**
 * The small Debian as a partition image: a file system alone, with GRUB in it for BIOS and UEFI, that whoever deploys
 * it installs. Built once per recipe; needs root, and no loop device.
 */
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, sha256Of, type Tell } from '../cache.ts'
import { PACKAGES, ROOT_LABEL, recipeDigest } from '../os-image/recipe.ts'
import { buildRoot } from '../os-image/root.ts'
import { run } from '../run-program.ts'

const SIZE_MIB = 1024
const GRUB = ['grub2-common', 'grub-pc-bin', 'grub-efi-amd64-bin']
const DEFAULTS = `GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=rack
GRUB_DISABLE_OS_PROBER=true
GRUB_CMDLINE_LINUX_DEFAULT="rw console=tty0 console=ttyS0,115200 quiet audit=0 mitigations=off tsc=reliable lsm=yama"
GRUB_TERMINAL=console
`
const INITRD_INIT = join(import.meta.dirname, '../os-image/initrd-init')

export type PartitionImage = { raw: string; sha256: string; size_bytes: number }

export async function ensurePartitionImage(signal: AbortSignal, tell?: Tell): Promise<PartitionImage> {
  const own = await readFile(import.meta.filename)
  const digest = createHash('sha256').update(recipeDigest()).update(own).digest('hex').slice(0, 12)
  const folder = await cached('partition-image', digest, (work) => assemble(work, signal, tell))
  return {
    raw: join(folder, 'root.raw'),
    sha256: await readFile(join(folder, 'root.raw.sha256'), 'utf8'),
    size_bytes: SIZE_MIB * 1024 * 1024,
  }
}

async function assemble(work: string, signal: AbortSignal, tell?: Tell): Promise<void> {
  const [root, raw] = [join(work, 'root'), join(work, 'root.raw')]
  await mkdir(work, { recursive: true })
  const recipe = { packages: [...PACKAGES, ...GRUB], initrdInit: INITRD_INIT }
  await buildRoot(root, signal, { recipe, tell })
  await nameForGrub(join(root, 'boot'))
  await mkdir(join(root, 'etc/default'), { recursive: true })
  await writeFile(join(root, 'etc/default/grub'), DEFAULTS)
  await writeFile(raw, '')
  await truncate(raw, SIZE_MIB * 1024 * 1024)
  const features = '^metadata_csum_seed,^orphan_file'
  await run('mke2fs', ['-q', '-t', 'ext4', '-L', ROOT_LABEL, '-O', features, '-m', '1', '-d', root, raw], { signal })
  await writeFile(`${raw}.sha256`, await sha256Of(raw, signal))
  await rm(root, { recursive: true })
}

/** grub-mkconfig looks for an initial ramdisk beside each kernel. */
async function nameForGrub(boot: string): Promise<void> {
  for (const name of await readdir(boot)) {
    const version = /^vmlinuz-(.+)$/.exec(name)?.[1]
    if (version) await copyFile(join(boot, 'initrd-rack'), join(boot, `initrd.img-${version}`))
  }
}
