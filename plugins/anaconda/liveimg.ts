/** The system that an installer unpacks: what it may be, and how its address ends, by which the installer tells it. */
import type { FileField } from './node-fields.ts'
import type { AnacondaTask } from './options.ts'

export type LiveImage = { url: string; sha256?: string }

/**
 * By content, and how its address ends. What has none of the ends of a tarball is mounted: a squashfs, or a file
 * system. @source anaconda core/constants.py TAR_SUFFIX
 */
const ENDS: Readonly<Record<string, string>> = {
  ...{ gzip: 'tar.gz', xz: 'tar.xz', bzip2: 'tar.bz2', tar: 'tar' },
  raw: 'img',
}

/** @throws task.failure  what an installer cannot unpack; what the image cache says */
export async function liveimgFile(task: AnacondaTask, file: FileField): Promise<LiveImage> {
  const as = (format: string) => {
    const end = Object.hasOwn(ENDS, format) ? ENDS[format] : undefined
    if (end !== undefined) return `image.${end}`
    throw task.failure(
      `${file.field} of node ${task.node.uuid} is ${format === 'gpt' ? 'a disk with partitions' : `of format ${format}`} by its content: expected a tarball (plain, or packed by gzip, xz or bzip2), a squashfs or a file system. ` +
        'For disk images: the deploy interface direct.',
    )
  }
  const { url, checksum } = await task.images.file(file.href, { ...file, as })
  return { url, ...(checksum.algorithm === 'sha256' ? { sha256: checksum.value } : {}) }
}
