/**
 * A mirror to be killed: runs on the folder that it is given, pulls from the address that it is given, and tells its
 * port.
 */
import { startRegistry } from '../../../registry-mirror/index.ts'
import { configOf } from '../registry.ts'
import { upstreamNamed } from './mirror.ts'

const silent = () => {}
const [, , folder, url] = process.argv
const upstreams = [upstreamNamed('up.example', { url, tag_ttl: 0 })]
const { port } = await startRegistry(
  { ...configOf(String(folder)), upstreams },
  { debug: silent, info: silent, warn: silent, error: (message, fields) => console.error(message, fields) },
)
console.log(port)
