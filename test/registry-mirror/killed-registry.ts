/** A registry to be killed: runs on the folder that it is given and tells its port. */
import { startRegistry } from '../../registry-mirror/index.ts'
import { configOf } from './registry.ts'

const silent = () => {}
const { port } = await startRegistry(configOf(String(process.argv[2])), {
  debug: silent,
  info: silent,
  warn: silent,
  error: (message, fields) => console.error(message, fields),
})
console.log(port)
