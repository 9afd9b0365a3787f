/**
 * What inspections found, a packed file for each node: too much to be held in memory as records are. Knows no record,
 * and looks into nothing.
 */
import { access, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { isDiskFull, unlessMissing } from '@appliance/ground/errno'
import { parseExact } from '@appliance/ground/exact-number'
import { replaceFile, UNFINISHED } from '@appliance/ground/files'
import { ApplianceError, InsufficientStorage, messageOf } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'

/** As an agent, or a BMC, told of a machine. `plugin_data`: all that is not the inventory. */
export type Found = { inventory: Json; plugin_data: Json }

/** What a node has of each kind is replaced whole, and durable when the call resolves. */
export type Inspections = {
  /** As it came, until the inspection has ended. @throws InsufficientStorage  no room is left */
  keepReport(node: string, found: Found): Promise<void>
  hasReport(node: string): Promise<boolean>
  /** @returns undefined  there is none @throws ApplianceError  the file is damaged */
  report(node: string): Promise<Found | undefined>
  dropReport(node: string): Promise<void>
  /** What the last inspection made of it: the node's inventory. @throws InsufficientStorage */
  keep(node: string, found: Found): Promise<void>
  /** As `report`. */
  inventory(node: string): Promise<Found | undefined>
  /** All that there is of a node. */
  remove(node: string): Promise<void>
  /** At the start: what was not finished, and what is of nodes that are gone. */
  sweep(isThere: (node: string) => boolean): Promise<void>
}

const FILE = /^(?<node>[0-9a-f-]{36})\.(?:report|inventory)\.json\.gz$/
/** Unpacked. A request's body is no longer, and hooks and rules add little to it. */
const LIMIT_BYTES = 128 * 1024 * 1024

const pack = promisify(gzip)
const unpack = promisify(gunzip)

/** @param folder  made when needed */
export function createInspections(folder: string): Inspections {
  const pathOf = (node: string, kind: 'report' | 'inventory') => join(folder, `${node}.${kind}.json.gz`)
  const write = async (path: string, found: Found) => {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await replaceFile(path, await pack(JSON.stringify(found)))
    } catch (error) {
      if (!isDiskFull(error)) throw error
      throw new InsufficientStorage(`There is no room left in ${folder} (${messageOf(error)}). Free some.`, {
        cause: error,
      })
    }
  }
  return {
    keepReport: (node, found) => write(pathOf(node, 'report'), found),
    hasReport: (node) =>
      access(pathOf(node, 'report')).then(
        () => true,
        (error: unknown) => unlessMissing(error) ?? false,
      ),
    report: (node) => read(pathOf(node, 'report')),
    dropReport: (node) => rm(pathOf(node, 'report'), { force: true }),
    keep: (node, found) => write(pathOf(node, 'inventory'), found),
    inventory: (node) => read(pathOf(node, 'inventory')),
    async remove(node) {
      await rm(pathOf(node, 'report'), { force: true })
      await rm(pathOf(node, 'inventory'), { force: true })
    },
    async sweep(isThere) {
      for (const name of (await readdir(folder).catch(unlessMissing)) ?? []) {
        const { node } = FILE.exec(name)?.groups ?? {}
        const isStray = name.startsWith(UNFINISHED) || (node !== undefined && !isThere(node))
        if (isStray) await rm(join(folder, name), { force: true })
      }
    },
  }
}

async function read(path: string): Promise<Found | undefined> {
  const packed = await readFile(path).catch(unlessMissing)
  if (packed === undefined) return undefined
  try {
    const text = await unpack(packed, { maxOutputLength: LIMIT_BYTES })
    return parseExact(text.toString('utf8')) as Found
  } catch (error) {
    throw new ApplianceError(`${path} is damaged: ${messageOf(error)}. Remove it, and inspect the node again.`, {
      cause: error,
    })
  }
}
