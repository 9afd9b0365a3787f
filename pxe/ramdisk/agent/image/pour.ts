/**
 * Pours a download onto a disk, with its progress on the screen. Touches the disk when the first bytes have come, and
 * not before.
 */

import { diskPath } from '../disk/disk-file.ts'
import { AgentError, messageOf } from '../errors.ts'
import type { Disk } from '../hardware/disks.ts'
import { gib } from '../hardware/root-device.ts'
import type { Programs } from '../programs.ts'
import type { Progress } from '../protocol/commands.ts'
import type { Screen } from '../screen.ts'
import { clearDisk } from './clear-disk.ts'
import { CutOff, type Download } from './download.ts'
import { foreignFormat } from './formats.ts'
import type { ImageInfo } from './image-info.ts'
import { DiskFull, openSparseWriter, type SparseWriter } from './sparse-writer.ts'

export type PourOptions = {
  root: string
  disk: Disk
  image: ImageInfo
  programs: Programs
  screen: Screen
  progress(progress: Progress): void
  /** The disk's old content is gone from now on. */
  onTouch(): void
}
type OnWire = () => { done: number; total: number | undefined }

const PROGRESS_EVERY_MS = 250
const MIB = 1024 * 1024

export const writeFailed = (disk: Disk, why: string, cause?: unknown) =>
  new AgentError('ImageWriteError', `Writing image to device ${disk.name} failed: ${why}.`, { cause })

/** @returns size of the image. @throws AgentError, CutOff */
export async function pour(download: Download, task: PourOptions, onWire: OnWire): Promise<number> {
  const { disk, image, screen } = task
  const started = performance.now()
  refuseTooLarge(disk, download.size_bytes)
  try {
    const meter = createMeter(task, download.size_bytes, onWire)
    const { done, written_bytes } = await write(download, task, meter)
    meter.show(true)
    if (download.encoding && image.size_bytes !== undefined && done !== image.size_bytes) {
      throw new AgentError(
        'ImageChecksumError',
        `Image ${image.id} unpacked from ${download.encoding} has ${done} bytes, and should have ${image.size_bytes}.`,
      )
    }
    screen.say(
      `Image written and verified: ${mib(done)} in ${((performance.now() - started) / 1000).toFixed(1)} s, ${mib(written_bytes)} ` +
        `of it data, ${mib(onWire().done)} over the network${download.encoding ? ` (${download.encoding})` : ''}; ` +
        `peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
    )
    return done
  } catch (error) {
    if (error instanceof AgentError || error instanceof CutOff) throw error
    throw explained(disk, error)
  }
}

function refuseTooLarge(disk: Disk, size_bytes: number | undefined): void {
  if (size_bytes === undefined || size_bytes <= disk.size) return
  const needed = `the image needs ${size_bytes} bytes (${gib(size_bytes)}), the disk has ${disk.size} (${gib(disk.size)})`
  throw writeFailed(disk, `it is too small: ${needed}. Name a larger disk in properties/root_device`)
}

function explained(disk: Disk, error: unknown): AgentError {
  if ((error as NodeJS.ErrnoException).code === 'EBUSY')
    return writeFailed(disk, 'it is in use (mounted, or part of a RAID)', error)
  const next = error instanceof DiskFull ? '. Name a larger disk in properties/root_device' : ''
  return writeFailed(disk, `${messageOf(error)}${next}`, error)
}

async function write(download: Download, task: PourOptions, meter: Meter) {
  const { image } = task
  let writer: SparseWriter | undefined
  let done = 0
  try {
    for await (const chunk of download.content) {
      if (!writer) {
        refuseForeign(image, chunk)
        writer = await begin(task, download.size_bytes)
      }
      await writer.write(chunk)
      done += chunk.length
      meter.add(chunk.length)
    }
    if (!writer) throw new AgentError('InvalidImage', `Image ${image.id} is empty: it has 0 bytes.`)
    return { done, ...(await writer.finish()) }
  } finally {
    await writer?.[Symbol.asyncDispose]()
  }
}

function refuseForeign(image: ImageInfo, start: Buffer): void {
  const format = foreignFormat(start)
  if (!format) return
  throw new AgentError(
    'InvalidImage',
    `Image ${image.id} is ${format}, and not raw: this ramdisk writes it as it comes. Set image_disk_format to what it is, so ` +
      'that it is converted before it is served.',
  )
}

/** Opened for itself alone first, so that a disk in use keeps its content. */
async function begin(task: PourOptions, size_bytes: number | undefined): Promise<SparseWriter> {
  const { disk, root } = task
  const path = diskPath(root, disk)
  const writer = await openSparseWriter(path, { size_bytes: disk.size })
  task.onTouch()
  if (size_bytes === undefined) return writer
  // Some disks take minutes for it.
  task.progress({ note: `discarding the old content of ${disk.name}` })
  task.screen.progress(`  ${disk.name} discarding its old content`)
  writer.zerosUntil(await clearDisk(path, { size_bytes, disk_bytes: disk.size }, task.programs))
  return writer
}

type Meter = { add(bytes: number): void; show(force: boolean): void }

function createMeter({ disk, screen, progress }: PourOptions, size_bytes: number | undefined, onWire: OnWire): Meter {
  const started = performance.now()
  let done = 0
  let shown = Number.NEGATIVE_INFINITY
  const show = (force: boolean) => {
    const now = performance.now()
    if (!force && now - shown < PROGRESS_EVERY_MS) return
    shown = now
    const total = size_bytes ?? onWire().total
    const note = `writing image to ${disk.name}`
    progress({ note, done, unit: 'bytes', ...(total === undefined ? {} : { total }) })
    screen.progress(
      progressLine({ disk: disk.name, done, total, wire: onWire().done, seconds: (now - started) / 1000 }),
    )
  }
  return {
    show,
    add(bytes) {
      done += bytes
      show(false)
    },
  }
}

const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`

function progressLine(p: {
  disk: string
  done: number
  total: number | undefined
  wire: number
  seconds: number
}): string {
  const percent = p.total ? `${Math.floor((100 * p.done) / p.total)} %` : ''
  const of = p.total ? ` of ${mib(p.total)}` : ''
  const rate = p.seconds > 0.5 ? `, ${Math.round(p.done / MIB / p.seconds)} MiB/s` : ''
  return `  ${p.disk} ${percent.padStart(5)}  ${mib(p.done)}${of}${rate}, ${mib(p.wire)} received, ${p.seconds.toFixed(0)} s`
}
