/**
 * An appliance's image cache in a process of its own, to be killed in the middle of a download: killed-process.ts
 * STATE_PATH URL
 */
import { NODE, openImages } from './images-in-folder.ts'

const [state_path = '', image_source = ''] = process.argv.slice(2)
const box = await openImages({ state_path })
const instance_info = { image_source, image_checksum: 'a'.repeat(64), image_download_source: 'local' }
await box.images.resolve(box.request(instance_info, { node_uuid: NODE }))
