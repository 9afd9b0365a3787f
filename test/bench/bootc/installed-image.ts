/**
 * What the appliance has installed and keeps in its image cache, as a disk image of its own: what `direct` is
 * compared with.
 */
import { link, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Image } from '../../rack/image.ts'
import type { Rack } from '../../rack/rack.ts'

/** Of the appliance's state, by the default of [pxe] instance_master_path. */
const CACHE = 'master_images'

/** @param folder  where its file is to lie, on the same disk. @throws Error  there is none, or more than one */
export async function takeInstalled(rack: Rack, folder: string): Promise<Image> {
  const listed: { key: string; source: string }[] = JSON.parse(await rack.rackstrap(['images', 'list', '--json']))
  const [installed, ...others] = listed.filter(({ source }) => source.includes('bootc install'))
  if (!installed || others.length > 0) throw new Error(`not one install in the cache: ${JSON.stringify(listed)}`)
  const entry = join(rack.folder, 'appliance/state', CACHE, installed.key)
  const { size_bytes, checksum } = JSON.parse(await readFile(join(entry, 'entry.json'), 'utf8'))
  const path = join(folder, 'installed.raw')
  await link(join(entry, 'image'), path)
  return { path, format: 'raw', virtual_bytes: size_bytes, sha256: checksum.value, isOwn: true }
}
