/** What a disk has to erase itself with. The ways are in nvme.ts and ata.ts. */
import type { DiskFile } from '../disk/disk-file.ts'
import type { Disk } from '../hardware/disks.ts'
import type { Programs } from '../programs.ts'

export type SecureErase = {
  /** As in `erased by ...`. */
  how: string
  /** Ends when the disk says that it is erased. @throws SecureEraseFailed */
  run(): Promise<void>
}
/** A disk that is to erase itself, and does not. Its message is one sentence without a full stop. */
export class SecureEraseFailed extends Error {}

export type Erasing = {
  disk: Disk
  /** Nobody else has it meanwhile. */
  file: DiskFile
  programs: Programs
  screen: { say(text: string): void; note(text: string): void }
  /** Names of disks of the same controller that are to keep what they hold. */
  kept: readonly string[]
}

/** The controller does all the work, and tells nothing meanwhile. */
export const ERASE_TIMEOUT_S = 24 * 3600

/** The ramdisk has no such program. */
export const isAbsent = (error: unknown): boolean =>
  ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
