/** What the rest of the appliance knows of images: a node's image_source becomes a file that its agent can fetch. */
import type { FileOptions, Json, ServedFile, ServedImage } from '../plugin-api/index.ts'
import type { BootImage } from './format/boot-catalogue.ts'

export type ImageRequest = {
  node_uuid: string
  instance_info: Json
  driver_info: Json
  signal: AbortSignal
  /** Cheap to call often. */
  progress(p: { note: string; done?: number; total?: number; unit?: 'bytes' | 'steps' }): void
}
export type FileRequest = Pick<ImageRequest, 'node_uuid' | 'signal' | 'progress'> & {
  href: string
  checksum?: string
  /** Where a person wrote the address: instance_info/kernel. */
  field: string
  /** How its address is to end; by its format. */
  as?: FileOptions['as']
  /** By which machines know the file that is fetched again. Left out: a name is made. */
  name?: string
}
/** What is for one node goes out to its machine alone. */
export type Door = {
  /** Part of the address of all that is for the node; it cannot be guessed. Durable when it resolves. */
  giveKey(node_uuid: string): Promise<string>
  /** The same; empty: none was given. */
  keyOf(node_uuid: string): string
  /** @param key  in the address that was asked for; undefined: there is none in it */
  mayFetch(node_uuid: string, key: string | undefined, address: string): Promise<boolean>
}
export type Images = {
  /**
   * What is wrong with the node's image_* and checksum fields; touches no network. @throws InvalidParameterValue,
   * MissingParameterValue
   */
  validate(request: Pick<ImageRequest, 'node_uuid' | 'instance_info' | 'driver_info'>): void
  /**
   * Caches, verifies and converts as the options say; publishes it under http_url. One download however many ask.
   * @throws ImageUnacceptable, InsufficientStorage
   */
  resolve(request: ImageRequest): Promise<ServedImage>
  /** Makes a raw image once per key; see plugin-api Task.images.make. */
  make(
    key: string,
    request: ImageRequest,
    build: (path: string, signal: AbortSignal, progress: ImageRequest['progress']) => Promise<void>,
    o?: { bootable?: boolean },
  ): Promise<ServedImage>
  /** What is wrong with an address and its checksum; touches no network. @throws InvalidParameterValue */
  validateFile(request: Pick<FileRequest, 'href' | 'checksum' | 'field'>): void
  /**
   * Any file as it is, fetched once and served under http_url until it is released. @throws ImageUnacceptable,
   * InsufficientStorage
   */
  file(request: FileRequest): Promise<ServedFile>
  /** A small file, fetched as `file` does. @throws ImageUnacceptable  too large, or no UTF-8 */
  text(request: FileRequest): Promise<string>
  /** A small text that is not kept here, as it may be secret. @throws ImageUnacceptable */
  fetchText(url: URL, limit_bytes: number, signal: AbortSignal): Promise<string>
  /** Where machines fetch a file of this name. */
  fileUrl(name: string): string
  /** What firmware finds to start in the ISO of this name. @throws Error  there is no such file */
  bootImages(name: string): Promise<readonly BootImage[]>
  /** Where machines fetch the floppy disk that an ISO of this name has a BIOS take its boot image for. */
  floppyUrl(name: string): string
  /** Whether machines find a file there. */
  hasFile(name: string): Promise<boolean>
  /** Takes the node's links under http_url away, but for files of these names. Idempotent. */
  release(node_uuid: string, keep?: readonly string[]): Promise<void>
  /**
   * The file behind a path of http_url (e.g. /agent_images/<uuid>), or undefined when this path is not an image's.
   * Answers it with Range, ETag and precompressed variants by Accept-Encoding; `onBytes` tells what has gone out to
   * which node.
   */
  handle(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse): Promise<boolean>
  close(): Promise<void>
}
export type { ServedFile, ServedImage }
