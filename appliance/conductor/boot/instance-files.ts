/**
 * The files that machines boot their instances from, fetched again when the image cache has lost them: the disk was
 * emptied, or the box replaced from a backup of its records. What was deployed comes back, or nothing does.
 */
import { messageOf } from '../../errors.ts'
import type { InstanceFile } from '../../records/kinds/boot.ts'
import type { Parts } from '../parts/parts.ts'
import { underWay } from '../procedures/procedure.ts'
import { filesOfInstance, releaseFiles } from './record.ts'

export type InstanceFiles = {
  /**
   * Fetches in the background what is missing. To be called when a machine asks, and at the start.
   * @returns why it cannot be booted now, in a sentence; undefined: all files are there
   */
  missing(uuid: string): Promise<string | undefined>
}
type FileParts = Pick<Parts, 'store' | 'images' | 'log' | 'background'>

export function createInstanceFiles(parts: FileParts): InstanceFiles {
  const { images, log, background } = parts
  const fetching = new Set<string>()
  /** By node: why the last attempt failed. */
  const failures = new Map<string, string>()

  async function missingOf(uuid: string): Promise<InstanceFile[]> {
    const files = filesOfInstance(parts, uuid)
    const areThere = await Promise.all(files.map(({ name }) => images.hasFile(name)))
    return files.filter((_, index) => !areThere[index])
  }

  async function fetchAgain(uuid: string, { name, href_secret: href, field, checksum: sum }: InstanceFile) {
    const checksum = `${sum.algorithm}:${sum.value}`
    const signal = background.stopping
    await images.file({ node_uuid: uuid, href, field, checksum, name, signal, progress() {} })
    log.info('file of an instance fetched again', { node: uuid, field })
  }

  async function fetchAll(uuid: string, files: readonly InstanceFile[]): Promise<void> {
    try {
      for (const file of files) await fetchAgain(uuid, file)
      failures.delete(uuid)
    } catch (error) {
      background.stopping.throwIfAborted()
      failures.set(uuid, messageOf(error))
      log.error('file of an instance cannot be fetched again', { node: uuid, reason: messageOf(error) })
    } finally {
      fetching.delete(uuid)
      await releaseUnwanted(uuid, files)
    }
  }

  /** The node was torn down meanwhile. The end of a procedure that is under way releases them otherwise. */
  async function releaseUnwanted(uuid: string, files: readonly InstanceFile[]): Promise<void> {
    const wanted = new Set(filesOfInstance(parts, uuid).map(({ name }) => name))
    const node = parts.store.nodes.get(uuid)
    if (files.every(({ name }) => wanted.has(name)) || (node && underWay(node))) return
    await releaseFiles(parts, uuid)
  }

  return {
    async missing(uuid) {
      const files = await missingOf(uuid).catch(messageOf)
      if (typeof files === 'string') return files
      if (files.length === 0) return void failures.delete(uuid)
      const failure = failures.get(uuid)
      if (!fetching.has(uuid)) {
        fetching.add(uuid)
        background.run('fetching files of an instance', uuid, () => fetchAll(uuid, files))
      }
      const what = `${files.map(({ field }) => field).join(' and ')} ${files.length === 1 ? 'is' : 'are'}`
      const why = failure === undefined ? '' : ` The last attempt failed: ${failure}`
      return `${what} no longer in the image cache, and fetched again now.${why}`
    },
  }
}
