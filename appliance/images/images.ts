/** What the rest of the appliance knows of images: a node's image_source becomes a file that its agent can fetch. */
import type { ImageVariant, Json, ServedImage } from '../plugin-api/index.ts'

export type ImageRequest = {
  node_uuid: string
  instance_info: Json
  driver_info: Json
  signal: AbortSignal
  /** Cheap to call often. */
  progress(p: { note: string; done?: number; total?: number; unit?: 'bytes' | 'steps' }): void
}
export type Images = {
  /** What is wrong with the node's image_* and checksum fields; touches no network. @throws InvalidParameterValue, MissingParameterValue */
  validate(request: Pick<ImageRequest, 'node_uuid' | 'instance_info' | 'driver_info'>): void
  /** Caches, verifies and converts as the options say; publishes it under http_url. One download however many ask. @throws ImageUnacceptable, InsufficientStorage */
  resolve(request: ImageRequest): Promise<ServedImage>
  /** Makes a raw image once per key; see plugin-api Task.images.make. */
  make(
    key: string,
    request: ImageRequest,
    build: (path: string, signal: AbortSignal, progress: ImageRequest['progress']) => Promise<void>,
    o?: { bootable?: boolean },
  ): Promise<ServedImage>
  /** Takes the node's link under http_url away. Idempotent. */
  release(node_uuid: string): Promise<void>
  /**
   * The file behind a path of http_url (e.g. /agent_images/<uuid>), or undefined when this path is not an image's.
   * Answers it with Range, ETag and precompressed variants by Accept-Encoding; `onBytes` tells what has gone out to which node.
   */
  handle(request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse): Promise<boolean>
  close(): Promise<void>
}
export type { ImageVariant, ServedImage }
