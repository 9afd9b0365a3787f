/** The part of the contract about disk images, and files beside them. Types only. */

import type { Progress } from './progress.ts'

export type Images = {
  /** What is wrong with the node's image_* and checksum fields, in Ironic's words. Touches no network. */
  validate(): void
  /** Starts `resolve` while the machine boots. When it fails, the deploy fails at once. Cheap to call often. */
  prefetch(): void
  /** The node's image_source as the agent should fetch it: cached, verified and converted where the options say so. */
  resolve(): Promise<ServedImage>
  /**
   * Makes a raw image once per `key` however many nodes ask, keeps it in the image cache, serves it.
   * `build` writes to `path` (sparse welcome); a crash leaves nothing visible. It goes on when this node gives up and
   * others wait, so it heeds the signal and tells the progress that it is given. Key: everything the result depends on,
   * digests not tags; shown to people.
   * @param o.bootable  refuse a disk without partitions to start from and of a root, whatever was said of it
   */
  make(
    key: string,
    build: (path: string, signal: AbortSignal, progress: (p: Progress) => void) => Promise<void>,
    o?: { bootable?: boolean },
  ): Promise<ServedImage>
  /** What is wrong with the address of a file and its checksum. Touches no network. */
  validateFile(href: string, o: FileOptions): void
  /**
   * Any file, as it is: a kernel, a ramdisk, an ISO, a squashfs. Fetched once however many nodes ask, verified when a
   * checksum is given, kept in the image cache and served to this node until its deploy is over; what `boot.instance`
   * was given, until the node is torn down.
   * Without a checksum an upstream is asked at each call whether it has another file now.
   * @param href  http(s)://, or file:// in [conductor] file_url_allowed_paths
   */
  file(href: string, o: FileOptions): Promise<ServedFile>
  /** A small file as a text, fetched as `file` does: UTF-8, at most 256 KiB. */
  text(href: string, o: FileOptions): Promise<string>
}

/**
 * A precompressed form that the appliance offers under the same url by Accept-Encoding; our agent reads the list, a
 * stock one ignores it.
 */
export type ImageVariant = {
  encoding: 'zstd' | 'gzip'
  /** Of the bytes on the wire. */
  size_bytes: number
  /** Of the bytes on the wire, so that the agent need not hash what it unpacks. */
  checksum: { algorithm: string; value: string }
}
export type FileOptions = {
  /** Where a person wrote the address, for messages: instance_info/kernel. */
  field: string
  /** Hex digits of md5, sha256 or sha512, ALGORITHM:HEX, or the http(s) address of a file of checksums. */
  checksum?: string
  /**
   * How its address ends, for programs that look at it: image.tar.gz, LiveOS/squashfs.img. Letters, digits and ._-, at
   * most four parts. A function is asked with the format, as ServedFile has it; what it throws comes through.
   */
  as?: string | ((format: string) => string)
}
export type ServedFile = {
  /** By which the appliance knows it. */
  name: string
  /** Where it came from, as it was asked for: from there alone it is fetched again. May hold credentials. */
  href: string
  field: string
  /** For machines. */
  url: string
  /** By content, e.g. iso, gzip, xz; raw or gpt: nothing else that is known here, such as a kernel. */
  format: string
  size_bytes: number
  /** sha256, or the one that was asked for. */
  checksum: { algorithm: string; value: string }
}
export type ServedImage = {
  url: string
  format: 'raw' | 'qcow2'
  /** Of the file at url; of the virtual disk when it is raw. undefined: an upstream that did not say. */
  size_bytes: number | undefined
  checksum: { algorithm: string; value: string } | undefined
  /** The agent may write it as it comes. */
  stream: boolean
  variants: readonly ImageVariant[]
}
