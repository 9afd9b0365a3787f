/** The order of a guest: what it is to do, and with what. Types only. */
import type { Json } from '../plugin-api/index.ts'

type GuestDisk = {
  /**
   * A raw file, made sparse when it is not there. Left out: a file for this run alone. The guest sees the disks in
   * their order: /dev/vda, /dev/vdb.
   */
  path?: string
  size_bytes: number
}
export type GuestOrder = {
  /** Layers of the deploy ramdisk. */
  layers: readonly string[]
  /** A deploy step that one of the layers brings. */
  step: string
  args: Json
  disks: readonly GuestDisk[]
  memory_mib: number
  /** Counts from the power-on of the guest. */
  timeout_s: number
  /** True: the guest reaches the registry mirror at guestMirror(port) and nothing else. False: it reaches nothing. */
  mirror: boolean
}
