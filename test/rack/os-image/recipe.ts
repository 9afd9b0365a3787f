/** What the small Debian image is made of. Its digest names the image in the cache: another recipe is another image. */
import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

export const SUITE = 'trixie'
export const ROOT_LABEL = 'rackstrap-os'
export const DISK_MIB = 1536

/** What boots and phones home, and then what makes it an operating system that somebody could use. */
export const PACKAGES = [
  'systemd-sysv',
  'udev',
  'linux-image-cloud-amd64',
  'busybox-static',
  'dbus',
  'iproute2',
  'e2fsprogs',
  'kmod',
  'zstd',
  'ca-certificates',
  'curl',
  'less',
  'python3',
  'openssh-client',
] as const

/** Loaded by the initial ramdisk in this order; ext4 and NVMe are in the kernel itself. */
export const BOOT_MODULES = [
  'virtio_blk',
  'scsi_common',
  'scsi_mod',
  'sd_mod',
  'virtio_scsi',
  'failover',
  'net_failover',
  'virtio_net',
  'evdev',
  'button',
] as const

/** Units that a machine of a virtual rack has no use for: each costs time under emulation. */
export const MASKED_UNITS = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'systemd-pstore.service',
  'systemd-binfmt.service',
  'proc-sys-fs-binfmt_misc.automount',
  'systemd-modules-load.service',
  'modprobe@configfs.service',
  'modprobe@drm.service',
  'modprobe@fuse.service',
  'sys-kernel-config.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'sys-fs-fuse-connections.mount',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'getty-static.service',
] as const

export const ENABLED_UNITS = {
  'sysinit.target.wants': ['config-drive.service'],
  'multi-user.target.wants': ['phone-home.service', 'systemd-networkd.service'],
  'sockets.target.wants': [],
  'network-online.target.wants': ['systemd-networkd-wait-online.service'],
  'getty.target.wants': ['serial-getty@ttyS0.service'],
} as const

/** @returns 12 hex digits over this folder's files and the tools' versions that matter */
export function recipeDigest(): string {
  const hash = createHash('sha256')
  for (const file of globSync('**/*', { cwd: import.meta.dirname }).sort()) {
    const path = join(import.meta.dirname, file)
    if (!statSync(path).isFile()) continue
    hash.update(`${file}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 12)
}
