/** Looks whether programs and files are on the box. Runs nothing. */
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import type { Task } from '../../plugin-api/index.ts'
import { SEARCH_PATH } from './exec.ts'

export const missing: Task['missing'] = async ({ programs = [], files = [] }) => {
  const absent = await Promise.all([
    ...programs.map(async (name) => ((await isProgram(name)) ? [] : [name])),
    ...files.map(async (path) => ((await isFile(path, constants.R_OK)) ? [] : [path])),
  ])
  return absent.flat()
}

async function isProgram(name: string): Promise<boolean> {
  const places = isAbsolute(name) ? [name] : SEARCH_PATH.split(':').map((folder) => join(folder, name))
  for (const place of places) if (await isFile(place, constants.X_OK)) return true
  return false
}

async function isFile(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode)
    return (await stat(path)).isFile()
  } catch {
    // Whatever the reason: the appliance cannot use it.
    return false
  }
}
