/** A deploy ramdisk that is there, and that no machine could boot. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** @returns the folder */
export function layRamdisk(folder: string): string {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'vmlinuz'), 'kernel')
  writeFileSync(join(folder, 'core'), 'core')
  writeFileSync(join(folder, 'ramdisk.json'), '{"kernel":"vmlinuz","core":["core"]}')
  return folder
}
