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
  { format: 'iso', at: 0x8001, magic: Buffer.from('CD001') },
  { format: 'gpt', at: 512, magic: Buffer.from('EFI PART') },
  { format: 'gpt', at: 4096, magic: Buffer.from('EFI PART') },
  { format: 'gpt', at: 510, magic: Buffer.from([0x55, 0xaa]) },
]

/** @param head  the file's first HEAD_BYTES, or all of it */
export function detectFormat(head: Buffer): string {
  if (isQcow2(head)) return head.readUInt32BE(4) === 1 ? 'qcow' : 'qcow2'
  if (/^\s*<(!doctype\s+)?html/i.test(head.toString('latin1', 0, 256))) return 'html'
  return MAGICS.find(({ at, magic }) => head.subarray(at, at + magic.length).equals(magic))?.format ?? 'raw'
}

/** Formats whose bytes are the disk's own. */
export const isRaw = (format: string) => format === 'raw' || format === 'gpt' || format === 'iso'

/**
 * @param permitted  [conductor] permitted_image_formats; raw lets gpt through, too
 * @throws ImageUnacceptable. @source Ironic images.check_if_image_format_is_permitted
 */
export function checkFormat(
  detected: string,
  declared: string | undefined,
  permitted: readonly string[],
  shown: string,
): void {
  const lets = permitted.includes(detected) || (detected === 'gpt' && permitted.includes('raw'))
  if (!lets) {
    throw new ImageUnacceptable(
      `Image ${shown} is of format ${detected} by its content, which is not permitted ([conductor] permitted_image_formats = ${permitted.join(',')}). Convert it: qemu-img convert -O qcow2.`,
    )
  }
  if (declared === undefined || declared === detected || (declared === 'raw' && detected === 'gpt')) return
  throw new ImageUnacceptable(
    `Image ${shown} is of format ${detected} by its content, but image_disk_format says ${declared}. Set instance_info/image_disk_format to ${detected === 'gpt' ? 'raw' : detected}, or correct image_source.`,
  )
}
