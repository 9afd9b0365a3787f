/**
 * Watches the room on the disks of a guest's files: the files are sparse, and grow by what a stranger's code writes.
 */
import { dirname } from 'node:path'
import type { Reserve } from '@appliance/ground/reserve'
import { GuestFailure } from './failure.ts'
import type { GuestOrder } from './order.ts'

const MIB = 1024 * 1024
/** The room that stays, beyond what is kept for records. Without any, QEMU stands still and waits. */
const RESERVE_BYTES = 256 * MIB
const LOOK_EVERY_MS = 250

export type Room = Disposable & {
  /** Aborted with a GuestFailure when there is too little room. */
  signal: AbortSignal
}

/** @throws GuestFailure  there is too little room already */
export async function watchRoom(folder: string, { step, disks }: GuestOrder, reserve: Reserve): Promise<Room> {
  const folders = [...new Set([folder, ...disks.flatMap(({ path }) => (path === undefined ? [] : [dirname(path)]))])]
  const full = new AbortController()
  const look = async () => {
    for (const place of folders) {
      const left_bytes = await reserve.left(place)
      if (left_bytes >= RESERVE_BYTES) continue
      const left = `${Math.max(Math.floor(left_bytes / MIB), 0)} MiB are left in ${place}${reserve.bytes > 0 ? ' beyond [DEFAULT] min_free' : ''}, and ${RESERVE_BYTES / MIB} are to be`
      throw new GuestFailure(
        `The appliance's disk is full: no virtual machine for ${step} runs while ${left}. Free some.`,
      )
    }
  }
  await look()
  const timer = setInterval(() => look().catch((error: unknown) => full.abort(error)), LOOK_EVERY_MS)
  return { signal: full.signal, [Symbol.dispose]: () => clearInterval(timer) }
}
