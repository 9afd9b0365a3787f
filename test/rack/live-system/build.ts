/**
 * A system that needs no disk: the deploy ramdisk's kernel, programs and drivers, with an init of its own that phones
 * home. One archive, as the deploy interface that boots it takes one.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { packCpio } from '../../../pxe/ramdisk/cpio.ts'

export type LiveSystem = {
  /** Paths. */
  kernel: string
  ramdisk: string
  /** Of both. */
  bytes: number
  /** It takes no config drive. */
  isOwn: false
}

const OWN = ['init', 'lease'] as const
/** The parts of the deploy ramdisk that it stands on, by how their names begin. */
const PARTS = ['base-', 'modules-'] as const
export const LIVE_PARAMETERS = 'console=ttyS0,115200n8 loglevel=3'

/**
 * @param ramdisk  folder of the deploy ramdisk
 * @param folder  where the files go; made when it is not there
 */
export async function makeLiveSystem(ramdisk: string, folder: string): Promise<LiveSystem> {
  const names = await readdir(ramdisk)
  const part = (begin: string) => {
    const name = names.find((one) => one.startsWith(begin))
    if (name === undefined) throw new Error(`the deploy ramdisk in ${ramdisk} has no file that begins with ${begin}`)
    return readFile(join(ramdisk, name))
  }
  const own = OWN.map(async (path) => {
    const content = await readFile(join(import.meta.dirname, path))
    return { path, kind: 'file', content, mode: 0o755 } as const
  })
  const archive = Buffer.concat([...(await Promise.all(PARTS.map(part))), gzipSync(packCpio(await Promise.all(own)))])
  const kernel = await part('vmlinuz-')
  await mkdir(folder, { recursive: true })
  const live: LiveSystem = {
    kernel: join(folder, 'vmlinuz'),
    ramdisk: join(folder, 'initrd'),
    bytes: kernel.length + archive.length,
    isOwn: false,
  }
  await writeFile(live.kernel, kernel)
  await writeFile(live.ramdisk, archive)
  return live
}
