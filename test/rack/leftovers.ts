/**
 * What a rack that was killed left behind: found by the process id in its name, and cleared. Touches nothing of a
 * rack that lives.
 */
import { readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, namespaces, removeNetwork } from './steel/network.ts'

const NAME = /^rackstrap-rack-(\d+)(?:-\d+)?$/

export const rackName = (index: number) => `rackstrap-rack-${process.pid}${index === 0 ? '' : `-${index}`}`
export const rackFolder = (name: string) => join(tmpdir(), name)

/** @returns the names of the racks that were cleared */
export async function clearLeftovers(): Promise<string[]> {
  const cleared = new Set<string>()
  for (const name of await namespaces()) {
    if (!isLeftover(name)) continue
    await removeNetwork(name)
    cleared.add(name)
  }
  for (const name of await readdir(tmpdir())) {
    if (!isLeftover(name)) continue
    await rm(rackFolder(name), { recursive: true, force: true })
    cleared.add(name)
  }
  return [...cleared]
}

function isLeftover(name: string): boolean {
  const pid = NAME.exec(name)?.[1]
  return pid !== undefined && Number(pid) !== process.pid && !isAlive(Number(pid))
}
