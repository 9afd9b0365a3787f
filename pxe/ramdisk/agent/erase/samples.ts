/**
 * Whether a disk is erased is read back from it: places over all of it, both ends among them, are marked before and
 * looked at afterwards. A place that held nothing proves nothing.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { type DiskFile, readAt, writeAt } from '../disk/disk-file.ts'
import { gib } from '../hardware/root-device.ts'
import type { Programs } from '../programs.ts'

export type Samples = {
  readonly count: number
  /** @throws NotErased  one still holds its mark. For a disk of which nobody says what it reads afterwards. */
  assertGone(): Promise<void>
  /** @throws NotErased  one holds something else */
  assertHold(expected: (at_bytes: number, length: number) => Buffer): Promise<void>
}
/** One sentence's beginning: `it still holds data at 3.0 GiB ...` */
export class NotErased extends Error {}

const PLACES = 64
/** A multiple of every disk's sector. */
const PLACE_BYTES = 4096
const MARK_BYTES = 32

type Place = { at: number; length: number; mark: Buffer }

/** @throws Error  the disk does not keep what is written to it: its size is a lie, or it is broken */
export async function markSamples(disk: DiskFile, programs: Programs): Promise<Samples> {
  const places: Place[] = []
  const read = async ({ at, length }: Place) => {
    const found = await readAt(disk, at, length)
    if (found.length === length) return found
    throw new NotErased(`it could not be read back at ${gib(at)}, so nobody knows whether it is erased`)
  }
  for (const place of placesOn(disk)) {
    try {
      await writeAt(disk, place.at, filled(place.length, place.mark))
      places.push(place)
    } catch (error) {
      // A bad place. Overwriting finds all of those.
      if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error
    }
  }
  await fromSteel(disk, programs)
  for (const place of places) {
    if ((await read(place)).equals(filled(place.length, place.mark))) continue
    throw new Error(
      `it does not keep what is written to it at ${gib(place.at)}: its size is a lie, or it is broken. Replace it`,
    )
  }
  const judge = async (isLeft: (found: Buffer, place: Place) => boolean) => {
    await fromSteel(disk, programs)
    for (const place of places) {
      if (isLeft(await read(place), place)) throw new NotErased(`it still holds data at ${gib(place.at)}`)
    }
  }
  return {
    count: places.length,
    assertGone: () => judge((found, { mark }) => found.includes(mark)),
    assertHold: (expected) => judge((found, { at, length }) => !found.equals(expected(at, length))),
  }
}

/** Both ends, and one place in each part between, where no firmware can know. */
function placesOn({ size_bytes }: DiskFile): Place[] {
  const nonce = randomBytes(MARK_BYTES)
  const placed = (at: number, length: number): Place => ({
    at,
    length,
    mark: createHash('sha256').update(nonce).update(String(at)).digest(),
  })
  if (size_bytes < 2 * PLACE_BYTES) return [placed(0, size_bytes)]
  const blocks = Math.floor(size_bytes / PLACE_BYTES)
  const parts = Math.min(PLACES, blocks)
  const inner = Array.from({ length: parts - 2 }, (_, index) => {
    const from = 1 + Math.floor((index * (blocks - 2)) / (parts - 2))
    const to = 1 + Math.floor(((index + 1) * (blocks - 2)) / (parts - 2))
    return placed(randomInt(from, to) * PLACE_BYTES, PLACE_BYTES)
  })
  return [placed(0, PLACE_BYTES), ...inner, placed(size_bytes - PLACE_BYTES, PLACE_BYTES)]
}

const filled = (length: number, mark: Buffer) => Buffer.alloc(length, mark)

/** What is read next comes from the disk, and not from the kernel's memory. */
async function fromSteel(disk: DiskFile, programs: Programs): Promise<void> {
  await disk.file.sync()
  await programs.run('blockdev', ['--flushbufs', disk.path], { timeout_s: 600 })
}
