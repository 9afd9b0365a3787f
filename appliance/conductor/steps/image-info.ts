/** What write_image tells the agent of an image: Ironic's keys, and two of ours that a stock agent ignores. Pure. */
import type { Json, Kit, ServedImage } from '../../plugin-api/index.ts'

/** @source Ironic agent.py, AgentDeploy.write_image, for whole-disk images */
export const imageInfo: Kit['imageInfo'] = (image, { id, node_uuid }) => ({
  id,
  urls: [image.url],
  disk_format: image.format,
  container_format: null,
  stream_raw_images: image.stream,
  ...checksumOf(image),
  node_uuid,
  ...(image.size_bytes === undefined ? {} : { size_bytes: image.size_bytes }),
  ...(image.variants.length === 0 ? {} : { variants: image.variants }),
})

/** An agent of any age takes md5 as `checksum` only, and everything better as a pair. */
function checksumOf({ checksum }: ServedImage): Json {
  if (!checksum) return {}
  if (checksum.algorithm === 'md5') return { checksum: checksum.value }
  return { os_hash_algo: checksum.algorithm, os_hash_value: checksum.value }
}
