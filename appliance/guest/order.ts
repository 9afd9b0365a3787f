/** What a guest is started for. Types only. */
import type { Json } from '../plugin-api/index.ts'

export type GuestDisk = {
  /** A raw file; made, sparse, when it is not there. Left out: one for this run alone. In their order: /dev/vda, /dev/vdb. */
  path?: string
  size_bytes: number
}
export type GuestOrder = {
  /** Layers of the deploy ramdisk. */
  layers: readonly string[]
  /** A deploy step that one of them brings. */
  step: string
  args: Json
  disks: readonly GuestDisk[]
  memory_mib: number
  /** From its power-on. */
  timeout_s: number
  /** It reaches the registry mirror at guestMirror(port) and nothing else; without: nothing at all. */
  mirror: boolean
}
