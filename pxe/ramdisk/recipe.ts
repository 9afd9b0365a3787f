/** What goes into the deploy ramdisk: packages, files, kernel modules. Data only; build.ts does the work. */

export type Flavour = 'virtual' | 'hardware'
export type Architecture = { debian: string; triplet: string; loader: string; kernel: string }

export const SUITE = 'trixie'

/** By process.arch: the ramdisk is for machines of the architecture that builds it. */
export const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  x64: {
    debian: 'amd64',
    triplet: 'x86_64-linux-gnu',
    loader: 'usr/lib64/ld-linux-x86-64.so.2',
    kernel: 'vmlinuz',
  },
  arm64: {
    debian: 'arm64',
    triplet: 'aarch64-linux-gnu',
    loader: 'usr/lib/ld-linux-aarch64.so.1',
    kernel: 'vmlinuz',
  },
}

/**
 * Only what the agent and init call; the libraries that they need are found by themselves. The static busybox: its
 * shell runs applets without exec and without the dynamic loader, a tenth of the time.
 */
export const PACKAGES = ['busybox-static', 'libc6', 'libstdc++6', 'libgcc-s1', 'util-linux', 'efibootmgr']
export const PROGRAMS = ['usr/bin/busybox', 'usr/bin/fallocate', 'usr/sbin/blkdiscard', 'usr/bin/efibootmgr']

/** Programs of busybox that get a name of their own; its shell has them all without. */
export const APPLETS = `
  sh awk basename blockdev cat chmod clear cp cttyhack cut date dd df diff dmesg du echo env false find free grep
  gunzip head hexdump hostname hwclock id ifconfig ip kill killall less ln ls lsmod lsusb md5sum mkdir mknod modprobe
  more mount mv nc nslookup pidof ping poweroff ps pwd readlink reboot rm rmdir sed seq setsid sha256sum sleep sort
  stat stty sync sysctl tail tar tee test top touch tr true udhcpc umount uname uniq uptime vi wc wget which xargs
`
  .trim()
  .split(/\s+/)

/** For the base system: merged /usr as Debian has it, so that layers of Debian packages fit over it. */
export const FOLDERS = ['dev', 'proc', 'sys', 'run', 'tmp', 'root', 'var/log', 'usr/sbin', 'etc']
export const LINKS: Readonly<Record<string, string>> = {
  bin: 'usr/bin',
  sbin: 'usr/sbin',
  lib: 'usr/lib',
  lib64: 'usr/lib64',
  'var/run': '/run',
}

export type KernelRecipe = {
  package: string
  /** Names of modules, or folders below kernel/ that end with a slash; what they depend on comes by itself. */
  modules: readonly string[]
  /** Folders and names that stay out although they match. */
  without: readonly string[]
  firmware: readonly string[]
  components: readonly string[]
}

export function kernelRecipe(flavour: Flavour, { debian }: Architecture): KernelRecipe {
  return flavour === 'virtual'
    ? {
        package: `linux-image-cloud-${debian}`,
        modules: VIRTUAL_MODULES,
        without: [],
        firmware: [],
        components: ['main'],
      }
    : {
        package: `linux-image-${debian}`,
        modules: HARDWARE_MODULES,
        without: HARDWARE_WITHOUT,
        firmware: FIRMWARE_PACKAGES,
        components: ['main', 'non-free-firmware'],
      }
}

/** For the boot entries of UEFI: its variables, and what its loaders lie on. */
const EFI_MODULES = ['efivarfs', 'vfat', 'nls_cp437', 'nls_ascii']

/**
 * QEMU and other hypervisors. NVMe, virtio's PCI transport and GPT are built into this kernel; e1000 does not exist
 * in it.
 */
const VIRTUAL_MODULES = [
  ...EFI_MODULES,
  ...['virtio_net', 'virtio_blk', 'virtio_scsi', 'virtio_mmio', 'ahci', 'ata_piix', 'ata_generic', 'sd_mod'],
  ...['vmxnet3', 'vmw_pvscsi', 'hv_netvsc', 'hv_storvsc', 'xen-netfront', 'xen-blkfront', 'ena'],
]

/** Whatever a server may have its disks and its network behind. */
const HARDWARE_MODULES = [
  ...EFI_MODULES,
  ...[
    'drivers/ata/',
    'drivers/scsi/',
    'drivers/nvme/host/',
    'drivers/message/fusion/',
    'drivers/mmc/',
    'drivers/virtio/',
  ],
  ...['drivers/net/ethernet/', 'drivers/net/phy/', 'drivers/net/mdio/', 'drivers/net/vmxnet3/', 'drivers/net/hyperv/'],
  ...['drivers/net/usb/', 'drivers/usb/host/', 'drivers/usb/storage/', 'drivers/hid/usbhid/', 'drivers/char/ipmi/'],
  ...['virtio_net', 'virtio_blk', 'hid-generic', 'hv_vmbus', 'hyperv-keyboard', 'vmd', 'xen-netfront', 'xen-blkfront'],
]
const HARDWARE_WITHOUT = [
  ...['drivers/scsi/scsi_debug', 'drivers/scsi/pcmcia/', 'drivers/ata/pata_legacy', 'drivers/net/ethernet/8390/'],
  ...['drivers/net/ethernet/mellanox/mlxsw/', 'drivers/net/ethernet/xircom/', 'drivers/scsi/st.', 'drivers/scsi/osst'],
  ...['drivers/scsi/cxgbi/', 'drivers/net/usb/hso', 'drivers/net/usb/sierra_net', 'drivers/usb/host/r8a66597'],
]
/** Of these only the files that a chosen module names itself. */
const FIRMWARE_PACKAGES = [
  ...['firmware-bnx2', 'firmware-bnx2x', 'firmware-qlogic', 'firmware-realtek', 'firmware-misc-nonfree'],
  ...['firmware-intel-misc', 'firmware-mediatek', 'firmware-netronome', 'firmware-myricom', 'firmware-cavium'],
]

/**
 * On every boot of a ramdisk. Both consoles: the kernel speaks to the screen and the serial line, and init and the
 * agent write to each console that the kernel names active. Quiet, because each line on an emulated serial line costs
 * milliseconds.
 */
const CONSOLES = 'console=tty0 console=ttyS0,115200n8 loglevel=4'
/**
 * Virtual machines do not watch over their clock: an emulated one on a busy box looks unstable, the kernel then
 * patches its own code, and QEMU 7.2 with threads panics over that ("Oops: int3" in sched_clock_cpu, seen at load
 * 10). Nor over the ticks of their timer: those of a machine that waits for its turn come late, and the kernel gives
 * up ("IO-APIC + timer doesn't work!").
 */
export const KERNEL_PARAMETERS: Readonly<Record<Flavour, string>> = {
  virtual: `${CONSOLES} tsc=reliable no_timer_check`,
  hardware: CONSOLES,
}
