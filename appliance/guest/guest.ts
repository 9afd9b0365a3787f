/**
 * Runs a deploy step that must not run on the appliance itself in a virtual machine of its own. The machine boots the
 * deploy ramdisk, and nothing else.
 */

import { plainText } from '@appliance/ground/plain-text'
import { NO_RESERVE, type Reserve } from '@appliance/ground/reserve'
import { untilAborted } from '@appliance/ground/until-aborted'
import { PxeError, type RamdiskFiles, readRamdiskFiles } from '@appliance/pxe'
import type { Log } from '../log.ts'
import type { Progress } from '../plugin-api/index.ts'
import { GuestFailure } from './failure.ts'
import { clearGuestFiles, type GuestFiles, openGuestFiles } from './files.ts'
import type { GuestOrder } from './order.ts'
import { type Accelerator, acceleratorOfThisBox, type MirrorAddress, runQemu } from './qemu.ts'
import { createReport } from './report.ts'
import { watchRoom } from './room.ts'

const SILENCE_S = 900

type GuestWaiter = { signal: AbortSignal; progress(progress: Progress): void }
export type Guests = {
  /**
   * One guest runs at a time; others wait in line.
   * @returns the result of the step. A stranger's code may have run beside it, so it can be any JSON
   * @throws GuestFailure  in the operator's words; `signal.reason`. The guest has ended then; the files of its disks
   * stay
   */
  run(order: GuestOrder, waiter: GuestWaiter): Promise<unknown>
  /** Whether virtual machines can run on this box, and with which acceleration. */
  accelerator(): Accelerator
  /** Whether the present ramdisk has these layers. */
  has(layers: readonly string[]): Promise<boolean>
}
export type GuestsGiven = {
  ramdisk_path: string
  /** The folder for the files of the guest that runs. It is emptied at the start, and nobody else may use it. */
  folder: string
  /**
   * Where the registry mirror listens for guests, who are strangers on this box's own loopback; undefined: there is
   * none.
   */
  mirror(): MirrorAddress | undefined
  log: Log
  /** What guests leave of the disk; left out: nothing. */
  reserve?: Reserve
  /** Left out: KVM where this box has it. */
  accelerator?(): Accelerator
  /** How long a guest may be silent; left out: 15 min, for a busy box on which it boots or syncs its disks. */
  silence_s?: number
}
type Box = GuestsGiven & { accelerator(): Accelerator; kvmFailed(): void }

export function createGuests(given: GuestsGiven): Guests {
  const { folder, log } = given
  let last: Promise<unknown> = Promise.resolve()
  // Disks of a guest may be large, so they do not lie there until the next guest runs.
  const cleared = clearGuestFiles(folder)
  cleared.catch((error: unknown) => log.error('files of former guests not removed', { folder, error }))
  /** The guests that run or wait. */
  let taken = 0
  let kvm_failed = false
  const accelerator = () => {
    const found = (given.accelerator ?? acceleratorOfThisBox)()
    return kvm_failed && found === 'kvm' ? 'tcg' : found
  }
  const kvmFailed = () => {
    kvm_failed = true
  }
  return {
    accelerator,
    async has(layers) {
      try {
        const ramdisk = await readRamdiskFiles(given.ramdisk_path)
        return layers.every((name) => Object.hasOwn(ramdisk.layers, name))
      } catch (error) {
        // There is no whole ramdisk: whoever needs it learns that when machines boot it.
        if (error instanceof PxeError) return false
        throw error
      }
    },
    async run(order, waiter) {
      if (taken > 0) waiter.progress({ note: 'waiting for another virtual machine to end' })
      taken += 1
      const before = last
      const mine = before.then(async () => {
        waiter.signal.throwIfAborted()
        await cleared
        return start({ ...given, accelerator, kvmFailed }, order, waiter)
      })
      last = mine
        .catch(() => {})
        .finally(() => {
          taken -= 1
        })
      // A caller that gives up waiting stays in line, and does nothing when its time comes.
      await untilAborted(before, waiter.signal)
      const started = performance.now()
      try {
        return await mine
      } finally {
        const { step, layers, memory_mib } = order
        log.info('guest ended', {
          step,
          layers,
          memory_mib,
          duration_s: Math.round(performance.now() - started) / 1000,
        })
      }
    },
  }
}

async function start(given: Box, order: GuestOrder, waiter: GuestWaiter): Promise<unknown> {
  const { ramdisk_path, folder, log } = given
  const { step, layers } = order
  const mirror = order.mirror ? given.mirror() : undefined
  if (order.mirror && !mirror) {
    throw new GuestFailure(
      `The step ${step} is to pull from the registry mirror, which is off: set [registry] enabled.`,
    )
  }
  const ramdisk = await readRamdiskFiles(ramdisk_path)
  refuseLayers(layers, ramdisk)
  waiter.progress({ note: 'starting a virtual machine' })
  await using files = await openGuestFiles({ folder, ramdisk_path, ramdisk, order })
  using room = await watchRoom(folder, order, given.reserve ?? NO_RESERVE)
  const signal = AbortSignal.any([waiter.signal, room.signal])
  try {
    return await watched({ given, order, waiter: { ...waiter, signal }, files, mirror })
  } catch (error) {
    waiter.signal.throwIfAborted()
    if (error instanceof GuestFailure) log.warn('guest failed', { step, error: error.message, console: error.console })
    throw error
  }
}

type Started = {
  given: Box
  order: GuestOrder
  waiter: GuestWaiter
  files: GuestFiles
  mirror: MirrorAddress | undefined
}

async function watched(started: Started): Promise<unknown> {
  const { given, order, waiter, files, mirror } = started
  const report = createReport(waiter.progress)
  const { memory_mib, timeout_s, step } = order
  const { silence_s = SILENCE_S } = given
  const machine = { files, memory_mib, timeout_s, silence_s, mirror, accelerator: given.accelerator() }
  const onReport = (bytes: Buffer) => {
    report.add(bytes)
    return report.outcome() !== undefined
  }
  const { how, console, kvm_failed } = await runQemu({ ...machine, signal: waiter.signal, onReport })
  if (kvm_failed) {
    given.log.warn('KVM does not work on this box: virtual machines run without it, ten times as slow', { how })
    given.kvmFailed()
    return watched(started)
  }
  const outcome = report.outcome()
  if (outcome && 'result' in outcome) return outcome.result
  if (outcome) throw new GuestFailure(outcome.error, { console })
  const last = lastWords(console)
  throw new GuestFailure(`The virtual machine for ${step} ${how} before it told a result. Its last words: ${last}`, {
    console,
  })
}

/** A kernel that panics says why, and then a screenful of other things. */
function lastWords(console: string): string {
  const lines = console.split(/[\r\n]+/).filter((text) => text.trim() !== '')
  const panic = lines.findLast((text) => text.includes('Kernel panic - not syncing:'))
  const words = panic === undefined ? lines.slice(-3) : [panic.slice(panic.indexOf('Kernel panic'))]
  return plainText(words.join(' | ')).slice(-500) || 'none'
}

function refuseLayers(wanted: readonly string[], { layers }: RamdiskFiles): void {
  const missing = wanted.filter((name) => !Object.hasOwn(layers, name))
  if (missing.length === 0) return
  const there = Object.keys(layers).join(', ') || 'none'
  throw new GuestFailure(
    `The deploy ramdisk has no layer ${missing.join(', ')} (there: ${there}). Build it again with "rackstrap ramdisk build".`,
  )
}
