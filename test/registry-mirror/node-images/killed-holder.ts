/**
 * A mirror to be killed: on the folder that it is given, it holds one image after the other for its nodes, and tells
 * of each when it is held.
 */
import { startRegistry } from '../../../registry-mirror/index.ts'
import { configOf } from '../registry.ts'
import { upstreamNamed } from '../upstream/mirror.ts'

const silent = () => {}
const [, , folder, url, first, images] = process.argv
const upstreams = [upstreamNamed('up.example', { url, tag_ttl: 0 })]
const { inspect, hold } = await startRegistry(
  { ...configOf(String(folder)), upstreams },
  { debug: silent, info: silent, warn: silent, error: silent },
)
for (let at = Number(first); ; at++) {
  const tag = `v${at % Number(images)}`
  const owner = `node:${at % 3}`
  const image = await inspect(`up.example/org/app:${tag}`, { architecture: 'amd64' })
  console.log(JSON.stringify({ owner, began: image.digest }))
  await hold(image, { owner })
  console.log(JSON.stringify({ owner, held: image.digest }))
}
