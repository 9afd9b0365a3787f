/** A registry that collects garbage without any grace all the time, for a test that kills it. Prints its port. */
import { askRegistry, startRegistry } from '../../../registry-mirror/index.ts'
import { configOf, logTo } from '../registry.ts'

const config = configOf(process.argv[2] ?? '')
const { port } = await startRegistry(config, logTo([]))
process.stdout.write(`${port}\n`)
for (;;) await askRegistry(config, logTo([]), { request: { ask: 'run', job: 'gc', options: { grace_s: 0 } } })
