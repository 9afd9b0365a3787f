/** Which node may fetch which image: links under http_root, as Ironic makes them. They are the record itself, and outlive the appliance. */
import { readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isMissing, sync, unfinishedName } from '@appliance/ground/files'
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
  /** Durable when it resolves. */
  set(node_uuid: string, key: string): Promise<void>
  /** The key of the node's image. */
  get(node_uuid: string): Promise<string | undefined>
  remove(node_uuid: string): Promise<void>
  keys(): Promise<ReadonlySet<string>>
}

const NODE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * @param folder  <http_root>/<http_image_subdir>
 * @param cache_folder  where the links lead to: <cache_folder>/<key>/image
 */
export function createLinks(folder: string, cache_folder: string): Links {
  async function get(node_uuid: string): Promise<string | undefined> {
    if (!NODE.test(node_uuid)) return undefined
    try {
      const target = await readlink(join(folder, node_uuid))
      const key = basename(dirname(target))
      return target === join(cache_folder, key, FILES.identity) && isKey(key) ? key : undefined
    } catch (error) {
      // EINVAL: somebody put a file there.
      if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'EINVAL') return undefined
      throw error
    }
  }
  return {
    get,
    async open() {
      await makeFolder(folder)
      await sweep(folder)
    },
    async set(node_uuid, key) {
      if (!NODE.test(node_uuid)) throw new InvalidParameterValue(`'${node_uuid}' is not the uuid of a node.`)
      if ((await get(node_uuid)) === key) return
      const fresh = join(folder, unfinishedName())
      await symlink(join(cache_folder, key, FILES.identity), fresh)
      await rename(fresh, join(folder, node_uuid))
      await sync(folder)
    },
    async remove(node_uuid) {
      if (!NODE.test(node_uuid)) return
      await rm(join(folder, node_uuid), { force: true })
      await sync(folder)
    },
    async keys() {
      const names = (await readdir(folder)).filter((name) => NODE.test(name))
      const keys = await Promise.all(names.map(get))
      return new Set(keys.filter((key) => key !== undefined))
    },
  }
}
