/** Small files of /sys and /proc: one text each, absent as often as not. */
import { readFile, readlink, realpath } from 'node:fs/promises'
import { basename } from 'node:path'

/** Trimmed; undefined when it is not there, cannot be read (a device that is gone), or is empty. */
export async function readText(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'latin1').catch(() => '')
  return text.replace(/\0/g, '').trim() || undefined
}

export async function readNumber(path: string): Promise<number | undefined> {
  const value = Number(await readText(path))
  return Number.isFinite(value) ? value : undefined
}

export async function linkName(path: string): Promise<string | undefined> {
  const target = await readlink(path).catch(() => undefined)
  return target && basename(target)
}

export const realPath = (path: string): Promise<string> => realpath(path).catch(() => path)
