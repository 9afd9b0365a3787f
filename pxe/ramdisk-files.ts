/** Which files make up the deploy ramdisk: reads ramdisk.json, which the builder in ramdisk/ writes beside them. */

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isObject } from '@appliance/ground/json'
import { PxeError } from './config.ts'
import { checkKernelParameters } from './kernel-parameters.ts'

export type RamdiskFiles = {
  /** File names in ramdisk_path, no folders. */
  kernel: string
  core: readonly string[]
  layers: Readonly<Record<string, string>>
  /**
   * False for a ramdisk of others, whose list names no "layers": those that a deploy interface asks for are left out.
   */
  takes_layers: boolean
  /** Of the recipe that it was built from. */
  digest: string
  /** What this ramdisk's kernel always needs, e.g. console=ttyS0. */
  kernel_params: string
}

export const RAMDISK_LIST = 'ramdisk.json'
/** Without folders, and not hidden. */
export const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/
const isText = (value: unknown): value is string => typeof value === 'string'
const isFileName = (value: unknown): value is string => isText(value) && FILE_NAME.test(value)

/** @throws PxeError  it is not there, or not whole */
export async function readRamdiskFiles(ramdisk_path: string): Promise<RamdiskFiles> {
  const file = join(ramdisk_path, RAMDISK_LIST)
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new PxeError(
      `There is no deploy ramdisk: ${file} cannot be read (${cause.code}). Build one with "rackstrap ramdisk build --output ${ramdisk_path}", or correct [pxe] ramdisk_path.`,
      { cause },
    )
  })
  return checked(file, parsed(file, text))
}

function parsed(file: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch {
    // The error below is for this case, too: it is no object.
  }
  throw damaged(file, 'no JSON object')
}

function checked(file: string, found: Record<string, unknown>): RamdiskFiles {
  const { kernel, core, layers = {}, digest = '', kernel_params = '' } = found
  if (!isFileName(kernel)) throw damaged(file, 'no file name as "kernel"')
  if (!Array.isArray(core) || core.length === 0 || !core.every(isFileName))
    throw damaged(file, 'no file names as "core"')
  if (layers === null || typeof layers !== 'object' || !Object.values(layers).every(isFileName)) {
    throw damaged(file, 'no file names as "layers"')
  }
  if (!isText(digest) || !isText(kernel_params)) throw damaged(file, 'no text as "digest" or "kernel_params"')
  checkKernelParameters(kernel_params)
  const takes_layers = found.layers !== undefined
  return { kernel, core, layers: layers as Record<string, string>, takes_layers, digest, kernel_params }
}

const damaged = (file: string, found: string) =>
  new PxeError(
    `${file} is damaged: it holds ${found}. Build the ramdisk again with "rackstrap ramdisk build --output ${dirname(file)}".`,
  )
