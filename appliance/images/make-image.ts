/** An image that is made on this box, by a plugin most likely: checked as one that was fetched. */
import { stat } from 'node:fs/promises'
import { ImageUnacceptable } from '../errors.ts'
import { type EntryRecord, fileOf } from './cache/entry.ts'
import type { Waiter } from './cache/flights.ts'
import { whyNotBootable } from './format/bootable-disk.ts'
import type { Images } from './images.ts'
import { finishRaw, SIZE_LIMIT_BYTES, type Workshop } from './prepare-image.ts'
import { refuseTooLarge } from './source/download.ts'

/** A reference with its digest, and more. */
const SHOWN_CHARACTERS = 400

type Order = {
  name: string
  build: Parameters<Images['make']>[2]
  bootable: boolean
  folder: string
  flight: Waiter
}

/** @throws ImageUnacceptable  nothing was written, too much, or a disk that would not start */
export async function makeImage(
  shop: Workshop,
  { name, build, bootable, folder, flight }: Order,
): Promise<EntryRecord> {
  const shown = `made here (${name.slice(0, SHOWN_CHARACTERS)})`
  const path = fileOf(folder, 'identity')
  await build(path, flight.signal, flight.progress)
  const size_bytes = await stat(path).then(
    ({ size }) => size,
    () => 0,
  )
  if (size_bytes === 0) throw new ImageUnacceptable(`The image ${shown} was not written to ${path}.`)
  refuseTooLarge(size_bytes, shown, SIZE_LIMIT_BYTES)
  const why = bootable ? await whyNotBootable(path) : undefined
  if (why !== undefined) throw new ImageUnacceptable(`The disk ${shown} would not start: ${why}.`)
  const raw = await finishRaw(shop, { folder, flight, order: { source: { shown } } }, 'sha256')
  return { version: 1, source: shown, detected: 'raw', ...raw }
}
