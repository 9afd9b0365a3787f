/**
 * The stand-in's root folder: the small Debian of ../os-image, with a `bootc` that lays it out on a disk as the real
 * one would.
 */
import { chmod, copyFile, cp, mkdir, open, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tell } from '../cache.ts'
import { installBiosGrub, makeEfiPartition } from '../os-image/boot-code.ts'
import { PACKAGES } from '../os-image/recipe.ts'
import { buildRoot } from '../os-image/root.ts'

const SECTORS_PER_MIB = 2048
const EFI_MIB = 40
const OWN = 'usr/lib/bootc-stand-in'
const source = (name: string) => join(import.meta.dirname, 'stand-in', name)

/** @param overlay  files that go over the tree */
export async function buildStandIn(root: string, overlay: string, signal: AbortSignal, tell?: Tell): Promise<void> {
  const recipe = { packages: [...PACKAGES, 'fdisk'], initrdInit: source('initrd-init') }
  await buildRoot(root, signal, { recipe, tell })
  // What is in the overlay reads the config drive and phones home; root is mounted already.
  for (const wanted of ['multi-user.target.wants/phone-home.service', 'sysinit.target.wants/config-drive.service'])
    await rm(join(root, 'etc/systemd/system', wanted))
  await writeFile(join(root, 'etc/fstab'), '')
  await cp(overlay, root, { recursive: true, verbatimSymlinks: true })
  await copyFile(source('bootc'), join(root, 'usr/bin/bootc'))
  await chmod(join(root, 'usr/bin/bootc'), 0o755)
  await mkdir(join(root, 'sysroot'))
  // As bootable containers have it: what belongs to one machine is below /var.
  await rm(join(root, 'root'), { recursive: true })
  await symlink('var/roothome', join(root, 'root'))
  await writeFile(join(root, 'usr/lib/tmpfiles.d/bootc-base.conf'), 'd /var/roothome 0700 root root -\n')
  await keepForInstall(root, signal)
}

/** What podman lays its own over in a container, and code that makes a disk boot. */
async function keepForInstall(root: string, signal: AbortSignal): Promise<void> {
  const own = join(root, OWN)
  await mkdir(join(own, 'etc'), { recursive: true })
  await writeFile(join(root, 'etc/hosts'), '127.0.0.1 localhost\n')
  for (const name of ['hosts', 'hostname', 'resolv.conf'])
    await copyFile(join(root, 'etc', name), join(own, 'etc', name))
  const work = `${root}.boot`
  await mkdir(work)
  const grub = { folder: work, config: source('grub.cfg'), signal }
  const bios = join(own, 'bios-boot')
  await (await open(bios, 'w')).close()
  await truncate(bios, 440)
  await installBiosGrub(bios, SECTORS_PER_MIB, grub)
  await makeEfiPartition(join(own, 'efi.fat'), EFI_MIB, grub)
  await rm(work, { recursive: true })
  // GRUB's own code must not have grown beyond the partition that bootc gives it.
  const size = (await readFile(bios)).length
  if (size > 2 * 1024 * 1024)
    throw new Error(`GRUB for BIOS takes ${size} bytes with the gap before it: room is for 2 MiB`)
}
