/**
 * A layer of the deploy ramdisk, as a folder describes it: layer.json, files in root/, deploy steps in steps/. Reads;
 * makes nothing.
 */

import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '@appliance/ground/json'
import { PxeError } from '../config.ts'
import type { Flavour } from './recipe.ts'

/** `name` as ramdisk.json has it, and `ramdiskLayers` of a plugin. */
export type LayerSource = { name: string; folder: string }
export type LayerRecipe = {
  name: string
  /** Of Debian; what they depend on comes with them, but only what is named below goes into the layer. */
  packages: readonly string[]
  /**
   * Files without a slash in front, folders with one at the end, of the packages; `{triplet}` is the architecture's,
   * as in usr/lib/{triplet}.
   */
  programs: readonly string[]
  /** Of the kernel, by name, or folders below kernel/ with a slash at the end. */
  modules: readonly string[]
  /** Path to target. */
  links: Readonly<Record<string, string>>
}
export type Layer = {
  recipe: LayerRecipe
  root: string /** Entry file of its deploy steps. */
  steps: string | undefined
}

const NAME = /^[a-z0-9][a-z0-9-]{0,40}$/
const PACKAGE = /^[a-z0-9][a-z0-9+.-]+$/
const MODULE = /^[\w-]+$|^([\w-]+\/)+$/
const KEYS = ['packages', 'programs', 'modules', 'modules_hardware', 'links']
const isCleanPath = (path: string) =>
  path.length < 256 &&
  path
    .replace(/\/$/, '')
    .split('/')
    .every((name) => /^[\w@{}+.:-]+$/.test(name) && name !== '.' && name !== '..')

/** @throws PxeError  what is wrong with it, in one sentence */
export async function readLayer({ name, folder }: LayerSource, flavour: Flavour): Promise<Layer> {
  const file = join(folder, 'layer.json')
  if (!NAME.test(name)) {
    throw new PxeError(`${folder} is named "${name}": the name of a layer has lower case letters, digits and hyphens.`)
  }
  const found = parsed(
    file,
    await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => unreadable(file, cause)),
  )
  const unknown = Object.keys(found).find((key) => !KEYS.includes(key))
  if (unknown !== undefined) throw wrong(file, `"${unknown}" in it: it knows ${KEYS.join(', ')}`)
  const list = (key: string, fits: (text: string) => boolean) => listOf(file, found, key, fits)
  const modules = list('modules', (text) => MODULE.test(text))
  const more = list('modules_hardware', (text) => MODULE.test(text))
  const steps = join(folder, 'steps/index.ts')
  return {
    recipe: {
      name,
      packages: list('packages', (text) => PACKAGE.test(text)),
      programs: list('programs', isCleanPath),
      modules: flavour === 'hardware' ? [...modules, ...more] : modules,
      links: linksOf(file, found.links ?? {}),
    },
    root: join(folder, 'root'),
    steps: await access(steps).then(
      () => steps,
      () => undefined,
    ),
  }
}

function unreadable(file: string, cause: NodeJS.ErrnoException): never {
  throw new PxeError(`${file} cannot be read (${cause.code}): it says what is in this layer of the deploy ramdisk.`, {
    cause,
  })
}

function parsed(file: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch (cause) {
    throw new PxeError(`${file} is not JSON: ${(cause as Error).message}`, { cause })
  }
  throw wrong(file, 'no JSON object')
}

function listOf(file: string, found: Record<string, unknown>, key: string, fits: (text: string) => boolean): string[] {
  const list = found[key] ?? []
  if (!Array.isArray(list)) throw wrong(file, `${JSON.stringify(list)} as "${key}": a list is expected`)
  const odd = list.find((item) => typeof item !== 'string' || !fits(item))
  if (odd !== undefined) throw wrong(file, `${JSON.stringify(odd)} in "${key}", which is none`)
  return list
}

function linksOf(file: string, links: unknown): Record<string, string> {
  if (links === null || typeof links !== 'object' || Array.isArray(links)) throw wrong(file, 'no object as "links"')
  const odd = Object.entries(links).find(
    ([path, target]) => !isCleanPath(path) || typeof target !== 'string' || target === '',
  )
  if (odd) throw wrong(file, `${JSON.stringify(odd[0])} in "links", which is not a path and its target`)
  return links as Record<string, string>
}

const wrong = (file: string, found: string) => new PxeError(`${file} has ${found}.`)
