/** The files of one guest: its initial ramdisk, made of the deploy ramdisk and its order, and its disks. */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, mkdtempDisposable, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { packMachineFiles, type RamdiskFiles } from '@appliance/pxe'
import { messageOf } from '../errors.ts'
import { GuestFailure } from './failure.ts'
import type { GuestOrder } from './order.ts'

export type GuestFiles = AsyncDisposable & {
  kernel: FileHandle
  initrd: FileHandle
  /** Each disk is open twice: for writing, and for reading. */
  disks: readonly (readonly [FileHandle, FileHandle])[]
  kernel_params: string
}

/** The agent reads it: pxe/ramdisk/agent/guest.ts. */
const ORDER_FILE = '/run/rackstrap/guest.json'
/**
 * The alignment of archives that follow one another.
 * @source Documentation/driver-api/early-userspace/buffer-format.rst
 */
const ALIGNMENT = 4
const DISK_MODE = 0o600

type Wanted = { folder: string; ramdisk_path: string; ramdisk: RamdiskFiles; order: GuestOrder }

/** Removes what a killed appliance left behind. */
export async function clearGuestFiles(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

/** Opened here, so that QEMU needs no right to any path. */
export async function openGuestFiles({ folder, ramdisk_path, ramdisk, order }: Wanted): Promise<GuestFiles> {
  await using stack = new AsyncDisposableStack()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const place = stack.use(await mkdtempDisposable(join(folder, 'guest-')))
  const initrd_path = join(place.path, 'initrd')
  const layers = order.layers.map((name) => ramdisk.layers[name] ?? '')
  await joinArchives(
    [...ramdisk.core, ...layers].map((name) => join(ramdisk_path, name)),
    await orderArchive(order),
    initrd_path,
  )
  const kernel = stack.use(await open(join(ramdisk_path, ramdisk.kernel)))
  const initrd = stack.use(await open(initrd_path))
  const disks: [FileHandle, FileHandle][] = []
  for (const [index, { path = join(place.path, `disk${index}`), size_bytes }] of order.disks.entries()) {
    const write = stack.use(await openDisk(path, size_bytes))
    disks.push([write, stack.use(await open(path))])
  }
  const kept = stack.move()
  const { kernel_params } = ramdisk
  return { kernel, initrd, disks, kernel_params, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

async function openDisk(path: string, size_bytes: number): Promise<FileHandle> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, DISK_MODE)
  const { size } = await file.stat()
  if (size < size_bytes) await file.truncate(size_bytes)
  return file
}

const orderArchive = ({ step, args, mirror, disks }: GuestOrder): Promise<Buffer> =>
  packMachineFiles([{ path: ORDER_FILE, content: JSON.stringify({ step, args, mirror, disks: disks.length }) }])

async function joinArchives(paths: readonly string[], last: Buffer, target: string): Promise<void> {
  // QEMU runs as nobody and must read it; the folder keeps others out.
  await using file = await open(target, 'wx', 0o644)
  const add = async (archive: Buffer) => {
    await file.writeFile(archive)
    await file.writeFile(Buffer.alloc((ALIGNMENT - (archive.length % ALIGNMENT)) % ALIGNMENT))
  }
  try {
    for (const path of paths) await add(await readFile(path))
    await add(last)
  } catch (cause) {
    throw new GuestFailure(`The virtual machine's ramdisk cannot be written to ${target}: ${messageOf(cause)}`, {
      cause,
    })
  }
}
