/** What the ramdisk with the stock ironic-python-agent is made of. Its digest names the ramdisk in the cache. */
import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const SUITE = 'trixie'
export const AGENT = 'ironic-python-agent==13.0.0'
/** Where its virtual environment lies in the ramdisk; overlay/init starts it from there. */
export const AGENT_FOLDER = '/opt/ironic-python-agent'

/** What boots, and then the programs that the agent calls by name. */
export const PACKAGES = [
  'linux-image-cloud-amd64',
  // The kernel wants a maker of initial ramdisks. This one does nothing by itself.
  'tiny-initramfs',
  'busybox-static',
  'udev',
  // Instead of systemd.
  'systemd-standalone-sysusers',
  'kmod',
  'iproute2',
  'python3',
  'python3-venv',
  'util-linux',
  'util-linux-extra',
  'fdisk',
  'gdisk',
  'parted',
  'mdadm',
  'e2fsprogs',
  'dosfstools',
  'qemu-utils',
  // fuser and hexdump
  'psmisc',
  'bsdextrautils',
  'hdparm',
  'dmidecode',
  'pciutils',
  'ipmitool',
  'lshw',
  'efibootmgr',
  'file',
] as const

/**
 * What its bootc deploy calls besides: podman in the version that knows --retry-delay, and what `podman run` needs
 * for its bridge.
 */
export const PODMAN_PACKAGES = ['podman', 'crun', 'netavark', 'nftables', 'ca-certificates'] as const

/** Not needed on a machine, and each byte costs time under emulation. */
export const DROPPED = [
  ...['boot', 'dev', 'initrd.img', 'initrd.img.old', 'vmlinuz', 'vmlinuz.old', 'usr/share/doc', 'usr/share/locale'],
  ...['usr/share/python-wheels', 'usr/share/zoneinfo', 'var/cache/apt', 'var/lib/apt', 'var/lib/dpkg/info'],
] as const

/** As our own ramdisk for virtual machines has it (pxe/ramdisk/recipe.ts). */
export const KERNEL_PARAMETERS = 'console=tty0 console=ttyS0,115200n8 loglevel=4 tsc=reliable'

/** @returns 12 hex digits over this folder's files */
export function recipeDigest(): string {
  const hash = createHash('sha256')
  for (const file of globSync('**/*', { cwd: import.meta.dirname }).sort()) {
    const path = join(import.meta.dirname, file)
    if (statSync(path).isFile()) hash.update(`${file}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 12)
}
