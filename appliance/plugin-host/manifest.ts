/** Reads and checks a plugin's manifest, the "appliance" key of its package.json. Runs none of the plugin's code. */

import { constants } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import { leadsNowhere } from '@appliance/ground/errno'
import { isObject } from '@appliance/ground/json'
import { ApplianceError, messageOf } from '../errors.ts'
import type { ApiVersion } from '../plugin-api/index.ts'
import { isKind, KINDS, type Kind } from './kinds.ts'

/** A plugin is not what it must be; the text says what was found, what is accepted and what to do. */
export class PluginRefused extends ApplianceError {}

export type Manifest = {
  kind: Kind
  name: string
  apiVersion: ApiVersion
  /**
   * Of those that come with the appliance: its place, from 1, among those that are enabled when nobody chooses. Left
   * out: it is enabled by name alone.
   */
  default_order?: number
  /** The hardware types whose nodes may have it; left out: all. */
  hardware_types?: readonly string[]
  /** It came with the appliance. */
  bundled?: boolean
  /** Of package.json; told to people. */
  version?: string
  folder: string
  /** Absolute path of the file whose default export is the plugin; lies in `folder`. */
  entry: string
}

export const ACCEPTED_API_VERSION: ApiVersion = '1'
const NAME = /^[a-z][a-z0-9-]{0,62}$/
const SIZE_LIMIT_BYTES = 64 * 1024

type Package = Record<string, unknown>

/** @returns undefined when the folder holds no package.json, or one that does not say it is a plugin */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const file = join(folder, 'package.json')
  const text = await readPackage(file)
  if (text === undefined) return undefined
  const described = parsePackage(file, text)
  if (described.appliance === undefined) return undefined
  const appliance = described.appliance
  if (appliance === null || typeof appliance !== 'object') {
    throw new PluginRefused(
      `"appliance" in ${file} is ${JSON.stringify(appliance)}: an object with kind, name and apiVersion is expected`,
    )
  }
  return {
    ...checkKeys(file, appliance as Record<string, unknown>),
    ...(typeof described.version === 'string' && { version: described.version }),
    folder,
    entry: await findEntry(folder, file, described),
  }
}

async function readPackage(file: string): Promise<string | undefined> {
  try {
    const real = await realpath(file)
    if (liesOutside(await realpath(dirname(file)), real)) {
      throw new PluginRefused(`${file} is a link to ${real}, which lies outside the plugin's folder`)
    }
    // Opening a FIFO waits for its writer otherwise.
    await using handle = await open(real, constants.O_RDONLY | constants.O_NONBLOCK)
    const found = await handle.stat()
    if (!found.isFile()) throw new PluginRefused(`${file} is no regular file`)
    if (found.size > SIZE_LIMIT_BYTES) {
      throw new PluginRefused(
        `${file} has ${found.size} bytes: a plugin's package.json has at most ${SIZE_LIMIT_BYTES}`,
      )
    }
    return await handle.readFile('utf8')
  } catch (error) {
    if (error instanceof PluginRefused) throw error
    if (leadsNowhere(error)) return undefined
    throw new PluginRefused(`${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

function liesOutside(folder: string, path: string): boolean {
  const inside = relative(folder, path)
  return inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)
}

function parsePackage(file: string, text: string): Package {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value as Package
  } catch (error) {
    throw new PluginRefused(`${file} is not JSON: ${messageOf(error)}`, { cause: error })
  }
  throw new PluginRefused(`${file} is not a JSON object`)
}

function checkKeys(file: string, found: Record<string, unknown>): Omit<Manifest, 'version' | 'folder' | 'entry'> {
  const { kind, name, apiVersion, default_order, hardware_types } = found
  if (!isKind(kind)) {
    throw new PluginRefused(`appliance.kind in ${file} is ${JSON.stringify(kind)}: expected one of ${KINDS.join(', ')}`)
  }
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new PluginRefused(
      `appliance.name in ${file} is ${JSON.stringify(name)}: lower case letters, digits and hyphens are expected, a letter first`,
    )
  }
  if (apiVersion !== ACCEPTED_API_VERSION) {
    throw new PluginRefused(
      `appliance.apiVersion in ${file} is ${JSON.stringify(apiVersion)}: this appliance speaks "${ACCEPTED_API_VERSION}". ` +
        'Take the release of the plugin that names this version, or another release of the appliance.',
    )
  }
  if (hardware_types !== undefined && !isListOfNames(hardware_types)) {
    throw new PluginRefused(
      `appliance.hardware_types in ${file} is ${JSON.stringify(hardware_types)}: a list of hardware types is expected, e.g. ["ipmi"]`,
    )
  }
  return {
    ...{ kind, name, apiVersion },
    ...(typeof default_order === 'number' && { default_order }),
    ...(hardware_types && { hardware_types }),
  }
}

const isListOfNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string' && NAME.test(item))

async function findEntry(folder: string, file: string, described: Package): Promise<string> {
  const { exports, main } = described
  const named =
    typeof exports === 'string'
      ? exports
      : exports !== null && typeof exports === 'object' && '.' in exports
        ? exports['.']
        : (main ?? 'index.js')
  if (typeof named !== 'string') {
    throw new PluginRefused(
      `"exports" in ${file} is ${JSON.stringify(exports)}: the path of one file is expected, e.g. "./index.ts"`,
    )
  }
  const entry = await realpath(join(folder, named)).catch(() => {
    throw new PluginRefused(`${file} names ${named} as entry, and there is no such file`)
  })
  if (liesOutside(await realpath(folder), entry)) {
    throw new PluginRefused(`${file} names ${named} as entry, which lies outside the plugin's folder`)
  }
  if (!(await stat(entry)).isFile()) throw new PluginRefused(`${file} names ${named} as entry, which is no file`)
  return entry
}
