/** A checked qcow2 image to raw, by qemu-img out of process. The caller has read its header first (qcow2.ts). */
import { runProgram } from './programs.ts'

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

/** @throws ImageUnacceptable, InsufficientStorage, NotInstalled */
export async function convertToRaw({ from, to, size_bytes, shown, progress, signal }: Conversion): Promise<void> {
  const timeout_s = 60 + Math.ceil(size_bytes / SLOWEST_BYTES_PER_S)
  await runProgram({
    file: 'qemu-img',
    // The output stays in the page cache, from which it is hashed and compressed next; it is synced afterwards.
    args: ['convert', '-p', '-W', '-f', 'qcow2', '-O', 'raw', '-S', '64k', from, to],
    onOutput: (text) => {
      const percent = /\((\d+(?:\.\d+)?)\/100%\)[^(]*$/.exec(text)?.[1]
      if (percent !== undefined) progress(Math.round((size_bytes * Number(percent)) / 100))
    },
    limits: { address_space_bytes: ADDRESS_SPACE_BYTES, cpu_s: timeout_s, file_bytes: size_bytes + 1024 * 1024 },
    nice: NICE,
    timeout_s,
    signal,
    about: `Image ${shown}`,
  })
}
