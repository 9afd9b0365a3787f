/**
 * A kernel goes on with the part of a ramdisk that fits into a small machine's memory. Init notices; nothing must be
 * deployed by half of one.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AgentError, type ErrorKind } from './errors.ts'

/** Made by init. */
const MARK = 'run/agent/incomplete'

/** @throws AgentError */
export function refuseIncomplete(root: string, kind: ErrorKind): void {
  if (!existsSync(join(root, MARK))) return
  throw new AgentError(
    kind,
    `This machine has too little memory: its ramdisk could not be unpacked whole into ${totalMib(root)} MiB. Give it more.`,
  )
}

const totalMib = (root: string): number =>
  Math.floor(Number(/^MemTotal:\s+(\d+) kB/m.exec(readFileSync(join(root, 'proc/meminfo'), 'utf8'))?.[1] ?? 0) / 1024)
