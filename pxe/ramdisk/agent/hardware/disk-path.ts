/**
 * Names disks by their place in the machine, as udev's path_id does: stable over reboots, and what `by_path` hints
 * are written in.
 */
import { join } from 'node:path'
import { readText } from './sysfs.ts'

const FOLDER = '/dev/disk/by-path/'

/**
 * @param path  real path of the disk in /sys, e.g. /sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda
 * @returns undefined when the disk's bus is not one that we can name
 */
export async function byPathName(path: string): Promise<string | undefined> {
  const pci = [...path.matchAll(/\/([0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])(?=\/)/gi)].at(-1)?.[1]
  if (!pci) return undefined
  const rest = await behindPci(path)
  return rest === undefined ? undefined : `${FOLDER}pci-${pci}${rest && `-${rest}`}`
}

async function behindPci(path: string): Promise<string | undefined> {
  const nvme = /\/nvme\d+\/(nvme\d+n\d+)$/.exec(path)?.[1]
  if (nvme) return `nvme-${(await readText(join(path, 'nsid'))) ?? nvme.replace(/^.*n/, '')}`
  const usb = /\/usb\d+\/(?:[^/]+\/)*\d+-([\d.]+):(\d+\.\d+)\/host/.exec(path)
  const [, host, address] = /\/(host\d+)\/.*?\/(\d+:\d+:\d+:\d+)\/block\//.exec(path) ?? []
  if (usb) return `usb-0:${usb[1]}:${usb[2]}-scsi-${withoutHost(address)}`
  const ata = /\/ata(\d+)\/host/.exec(path)?.[1]
  if (ata) return `ata-${await portOf(path, ata)}`
  if (/\/(end_device|port-|rport-|session)/.test(path)) return undefined
  if (host && address) return `scsi-${withoutHost(address)}`
  return /\/virtio\d+\/block\//.test(path) || /\/mmc_host\//.test(path) ? '' : undefined
}

/** The host's number depends on the order of discovery; udev writes 0. */
const withoutHost = (address = '') => address.replace(/^\d+/, '0')

/** ata3 is the third port of all controllers; the controller's own count is in /sys. */
async function portOf(path: string, ata: string): Promise<string> {
  const port = path.slice(0, path.indexOf(`/ata${ata}/`) + `/ata${ata}`.length)
  return (await readText(join(port, `ata_port/ata${ata}/port_no`))) ?? ata
}

/** lsblk's word for the bus. */
export function transportOf(path: string): string | undefined {
  const signs = [
    [/\/nvme\d+\//, 'nvme'],
    [/\/usb\d+\//, 'usb'],
    [/\/ata\d+\//, 'sata'],
    [/\/end_device/, 'sas'],
    [/\/rport-/, 'fc'],
    [/\/session\d+\//, 'iscsi'],
    [/\/mmc_host\//, 'mmc'],
    [/\/virtio\d+\/(block|host)/, 'virtio'],
  ] as const
  return signs.find(([sign]) => sign.test(`${path}/`))?.[1]
}
