/**
 * Looks through a qcow2 image, and makes it raw, by qemu-img out of process. The caller has read its header first
 * (qcow2.ts).
 */
import { writeFile } from 'node:fs/promises'
import { ImageUnacceptable } from '../../errors.ts'
import { type Program, runProgram } from '../file/programs.ts'

export type Conversion = {
  from: string
  to: string
  /** Of the virtual disk. */
  size_bytes: number
  shown: string
  progress(done: number): void
  signal: AbortSignal
}

/** What Ironic allows it ([disk_utils] image_convert_memory_limit), against images that make it grow. */
const ADDRESS_SPACE_BYTES = 2 * 1024 * 1024 * 1024
/** 20 MB of virtual disk a second at the least, and a minute. */
const SLOWEST_BYTES_PER_S = 20 * 1000 * 1000
const NICE = 1
const FILE_MODE = 0o600

/** Of `qemu-img check`: errors found; nothing worse than clusters that nobody refers to, which do no harm. */
const [CORRUPT, LEAKS] = [2, 3]
const REPORT_LIMIT_CHARACTERS = 4096

/** What all calls of qemu-img have in common. */
function qemuImg({ size_bytes, shown, signal }: Pick<Conversion, 'size_bytes' | 'shown' | 'signal'>) {
  const timeout_s = 60 + Math.ceil(size_bytes / SLOWEST_BYTES_PER_S)
  return {
    file: 'qemu-img',
    limits: { address_space_bytes: ADDRESS_SPACE_BYTES, cpu_s: timeout_s, file_bytes: size_bytes + 1024 * 1024 },
    nice: NICE,
    timeout_s,
    signal,
    about: `Image ${shown}`,
  } satisfies Partial<Program>
}

/**
 * Refuses what a cut copy or a bad disk made of an image: `convert` reads zeros where the file has ended, and says that
 * all went well.
 * Reads tables, no data: 15 ms for 8 GiB of disk, 1.1 s for 500 GiB of it with all of its clusters there.
 * @throws ImageUnacceptable, NotInstalled
 */
export async function refuseDamaged(image: Omit<Conversion, 'to' | 'progress'>): Promise<void> {
  let report = ''
  const status = await runProgram({
    ...qemuImg(image),
    args: ['check', '-f', 'qcow2', '--output=json', image.from],
    reads: [image.from],
    onOutput: (text) => {
      report = (report + text).slice(0, REPORT_LIMIT_CHARACTERS)
    },
    answers: [CORRUPT, LEAKS],
  })
  if (status !== CORRUPT) return
  const errors = /"corruptions": (\d+)/.exec(report)?.[1] ?? 'some'
  throw new ImageUnacceptable(
    `Image ${image.shown} is damaged: qemu-img check finds ${errors} ${errors === '1' ? 'error' : 'errors'} in it, as in a copy that was cut short. Copy it again from where qemu-img check finds none, and state that file's checksum.`,
  )
}

/** @throws ImageUnacceptable, InsufficientStorage, NotInstalled */
export async function convertToRaw({ from, to, size_bytes, shown, progress, signal }: Conversion): Promise<void> {
  // There already, so that qemu-img needs no right to make files.
  await writeFile(to, '', { mode: FILE_MODE })
  await runProgram({
    ...qemuImg({ size_bytes, shown, signal }),
    // The output stays in the page cache, from which it is hashed and compressed next; it is synced afterwards.
    args: ['convert', '-p', '-W', '-f', 'qcow2', '-O', 'raw', '-S', '64k', from, to],
    reads: [from],
    writes: [to],
    onOutput: (text) => {
      const percent = /\((\d+(?:\.\d+)?)\/100%\)[^(]*$/.exec(text)?.[1]
      if (percent !== undefined) progress(Math.round((size_bytes * Number(percent)) / 100))
    },
  })
}
