/**
 * Which node may fetch which image, and which files beside it: links under http_root, as Ironic makes them. They are
 * the record itself, and outlive the appliance.
 */
import { createHash } from 'node:crypto'
import { readdir, readlink, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf, leadsNowhere } from '@appliance/ground/errno'
import { renameDurably, sync, unfinishedName } from '@appliance/ground/files'
import type { Config } from '../../config/options.ts'
import { InvalidParameterValue } from '../../errors.ts'
import { isKey } from './cache.ts'
import { FILES } from './entry.ts'
import { makeFolder, sweep } from './folders.ts'

/** Of the links, on disk and in addresses: [deploy] http_image_subdir without slashes around it. */
export const subdirOf = ({ deploy }: Pick<Config, 'deploy'>): string =>
  deploy.http_image_subdir.replace(/^\/+|\/+$/g, '')

export type Links = {
  open(): Promise<void>
  /**
   * Durable when it resolves. @param name  of the node's image: its uuid; of a file beside it: as `fileName` makes it
   */
  set(name: string, key: string): Promise<void>
  get(name: string): Promise<string | undefined>
  remove(name: string): Promise<void>
  /** All of the node's, but those to keep. */
  removeAll(node_uuid: string, keep: readonly string[]): Promise<void>
  keys(): Promise<ReadonlySet<string>>
}

const UUID_LENGTH = 36
const NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.[0-9a-f]{16})?$/

/**
 * Of a file that the node has beside its image: says nothing of where it came from.
 * @param as  how its address goes on, when it does: the name holds for this end alone
 */
export function fileName(node_uuid: string, key: string, as?: string): string {
  const digest = as === undefined ? key : createHash('sha256').update(`${key}/${as}`).digest('hex')
  return `${node_uuid}.${digest.slice(0, 16)}`
}
/** Whose link it is. */
export const nodeOfLink = (name: string): string => name.slice(0, UUID_LENGTH)

/**
 * @param folder  <http_root>/<http_image_subdir>
 * @param cache_folder  where the links lead to: <cache_folder>/<key>/image
 */
export function createLinks(folder: string, cache_folder: string): Links {
  async function get(name: string): Promise<string | undefined> {
    if (!NAME.test(name)) return undefined
    try {
      const target = await readlink(join(folder, name))
      const key = basename(dirname(target))
      return target === join(cache_folder, key, FILES.identity) && isKey(key) ? key : undefined
    } catch (error) {
      // EINVAL: somebody put a file there.
      if (leadsNowhere(error) || codeOf(error) === 'EINVAL') return undefined
      throw error
    }
  }
  const names = async () => (await readdir(folder)).filter((name) => NAME.test(name))

  return {
    get,
    async open() {
      await makeFolder(folder)
      await sweep(folder)
    },
    async set(name, key) {
      if (!NAME.test(name)) throw new InvalidParameterValue(`'${nodeOfLink(name)}' is not the uuid of a node.`)
      if ((await get(name)) === key) return
      const fresh = join(folder, unfinishedName())
      await symlink(join(cache_folder, key, FILES.identity), fresh)
      await renameDurably(fresh, join(folder, name))
    },
    async remove(name) {
      if (!NAME.test(name)) return
      await rm(join(folder, name), { force: true })
      await sync(folder)
    },
    async removeAll(node_uuid, keep) {
      const gone = (await names()).filter((name) => nodeOfLink(name) === node_uuid && !keep.includes(name))
      for (const name of gone) await rm(join(folder, name), { force: true })
      if (gone.length > 0) await sync(folder)
    },
    async keys() {
      const keys = await Promise.all((await names()).map(get))
      return new Set(keys.filter((key) => key !== undefined))
    },
  }
}
