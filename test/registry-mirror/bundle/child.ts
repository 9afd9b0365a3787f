/**
 * One import or export in a process of its own, to be killed or measured: export|import STORAGE BUNDLE. Tells when it
 * begins, and its peak memory.
 */
import { createReadStream } from 'node:fs'
import process from 'node:process'
import { importBundle, planBundle, saveBundle, sourceOf, withRegistry } from '../../../registry-mirror/bundle.ts'
import { configOf } from '../registry.ts'

const [what, storage_path = '', path = ''] = process.argv.slice(2)
const silent = () => {}
const log = { debug: silent, info: silent, warn: silent, error: (message: string) => console.error(message) }
await withRegistry(configOf(storage_path), log, async (client) => {
  console.log('begins')
  if (what === 'import')
    await importBundle(client, createReadStream(path, { highWaterMark: 1024 * 1024 }), { storage_path })
  else {
    const index = await planBundle(client, { images: ['*'] })
    await saveBundle(path, index, sourceOf(client))
  }
})
console.log(process.resourceUsage().maxRSS)
