/** Tells an image's format from its content, which is never what somebody says it is. Opens no file. */
import { ImageUnacceptable } from '../../errors.ts'
import { isQcow2 } from './qcow2.ts'

/** Enough to tell every format below; a qcow2 header with its extensions fits as well. */
export const HEAD_BYTES = 64 * 1024

/** Those of oslo.utils' image format inspector, by which Ironic judges; the rest of the world is raw. */
const MAGICS: readonly { format: string; at: number; magic: Buffer }[] = [
  { format: 'qed', at: 0, magic: Buffer.from('QED\0') },
  { format: 'vmdk', at: 0, magic: Buffer.from('KDMV') },
  { format: 'vmdk', at: 0, magic: Buffer.from('# Disk DescriptorFile') },
  { format: 'vhdx', at: 0, magic: Buffer.from('vhdxfile') },
  { format: 'vhd', at: 0, magic: Buffer.from('conectix') },
  { format: 'vdi', at: 0x40, magic: Buffer.from([0x7f, 0x10, 0xda, 0xbe]) },
  { format: 'luks', at: 0, magic: Buffer.from([0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]) },
  { format: 'parallels', at: 0, magic: Buffer.from('WithoutFreeSpace') },
  { format: 'parallels', at: 0, magic: Buffer.from('WithouFreSpacExt') },
  // What people put where an image should be: compressed ones, and the page that says there is none.
  { format: 'gzip', at: 0, magic: Buffer.from([0x1f, 0x8b, 0x08]) },
  { format: 'xz', at: 0, magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) },
  { format: 'zstd', at: 0, magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
  { format: 'bzip2', at: 0, magic: Buffer.from('BZh') },
  { format: 'lz4', at: 0, magic: Buffer.from([0x04, 0x22, 0x4d, 0x18]) },
  { format: 'zip', at: 0, magic: Buffer.from('PK\x03\x04') },
  { format: '7z', at: 0, magic: Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]) },
  { format: 'tar', at: 257, magic: Buffer.from('ustar') },
  { format: 'iso', at: 0x8001, magic: Buffer.from('CD001') },
  { format: 'gpt', at: 512, magic: Buffer.from('EFI PART') },
  { format: 'gpt', at: 4096, magic: Buffer.from('EFI PART') },
  { format: 'gpt', at: 510, magic: Buffer.from([0x55, 0xaa]) },
]

/** @param head  the file's first HEAD_BYTES, or all of it */
export function detectFormat(head: Buffer): string {
  if (isQcow2(head)) return head.readUInt32BE(4) === 1 ? 'qcow' : 'qcow2'
  if (/^\uFEFF?\s*<(!doctype|html|head|body|\?xml|!--)/i.test(head.toString('utf8', 0, 256))) return 'html'
  return MAGICS.find(({ at, magic }) => head.subarray(at, at + magic.length).equals(magic))?.format ?? 'raw'
}

/** Formats whose bytes are the disk's own. */
export const isRaw = (format: string) => format === 'raw' || format === 'gpt' || format === 'iso'

/** What can be made of an image here: its bytes, or those that qemu-img finds in it. */
const WRITTEN: readonly string[] = ['raw', 'gpt', 'qcow2', 'iso']
/** How to get at the image in a file that is not one itself. */
const UNPACKED_BY: Readonly<Record<string, string>> = {
  ...{ gzip: 'gunzip', xz: 'unxz', zstd: 'unzstd', bzip2: 'bunzip2', lz4: 'unlz4', zip: 'unzip', '7z': '7z x' },
  tar: 'tar xf',
}

/** @param permitted  [conductor] permitted_image_formats; raw lets gpt through, too */
export const acceptedFormats = (permitted: readonly string[]) =>
  WRITTEN.filter((format) => permitted.includes(format) || (format === 'gpt' && permitted.includes('raw')))

/**
 * @param permitted  [conductor] permitted_image_formats
 * @throws ImageUnacceptable. @source Ironic images.check_if_image_format_is_permitted
 */
export function checkFormat(
  detected: string,
  declared: string | undefined,
  permitted: readonly string[],
  shown: string,
): void {
  if (!acceptedFormats(permitted).includes(detected)) {
    throw new ImageUnacceptable(`Image ${shown} ${whyRefused(detected, permitted)}`)
  }
  if (declared === undefined || declared === detected || (declared === 'raw' && detected === 'gpt')) return
  throw new ImageUnacceptable(
    `Image ${shown} is of format ${detected} by its content, but image_disk_format says ${declared}. Set instance_info/image_disk_format to ${detected === 'gpt' ? 'raw' : detected}, or correct image_source.`,
  )
}

/** Nobody's file, whatever it was fetched for. @throws ImageUnacceptable */
export function refuseWebPage(detected: string, shown: string): void {
  if (detected === 'html') throw new ImageUnacceptable(`Image ${shown} ${WEB_PAGE}`)
}
const WEB_PAGE =
  'is a web page by its content, not an image: its server sends a page for people (a download page, a sign-in, an error). Set image_source to the address of the file itself.'

/** What it is, and what to do, which is not the same for all: to convert a web page makes nothing better. */
function whyRefused(detected: string, permitted: readonly string[]): string {
  if (detected === 'html') return WEB_PAGE
  const unpack = UNPACKED_BY[detected]
  if (unpack !== undefined) {
    return `is packed (${detected}) by its content: an image is not unpacked here. Unpack it (${unpack}), and set image_source and the checksum to the file that comes out of it.`
  }
  if (detected === 'luks') {
    return 'is encrypted (luks) by its content. Use an image that is not.'
  }
  const list = permitted.join(',')
  if (WRITTEN.includes(detected)) {
    return `is of format ${detected} by its content, which is not permitted: add it to [conductor] permitted_image_formats (${list}), or use another image.`
  }
  const why = permitted.includes(detected)
    ? `which is not written here, whatever [conductor] permitted_image_formats says (${list})`
    : `which is not permitted ([conductor] permitted_image_formats = ${list})`
  return `is of format ${detected} by its content, ${why}. Convert it: qemu-img convert -O qcow2.`
}
