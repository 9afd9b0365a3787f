/**
 * Network boot with an HTTP server in front of it, and decisions from a table: what boot.e2e.test.ts runs in the
 * rack's namespace, as
 * `appliance-on-paper.ts CONFIG DECISIONS` (JSON; the first decisions are taken in turn, the last one from then on).
 * Tells log lines.
 */
import { createServer } from 'node:http'
import { createPxe, type MachineBoot } from '../../pxe/index.ts'

const [config, decisions]: [Parameters<typeof createPxe>[0], MachineBoot[]] = [
  JSON.parse(process.argv[2] ?? ''),
  JSON.parse(process.argv[3] ?? ''),
]
const tell = (word: object) => process.stdout.write(`${JSON.stringify(word)}\n`)
const at = (level: string) => (message: string, fields?: object) => tell({ level, message, ...fields })

const pxe = createPxe(config, {
  log: { debug: () => {}, info: at('info'), warn: at('warn'), error: at('error') },
  machineBootOf(mac) {
    const boot = decisions.length > 1 ? decisions.shift() : decisions[0]
    return boot ?? { kind: 'unknown', mac }
  },
})
const { hostname, port } = new URL(config.http_url)
createServer(async (request, response) => {
  if (!(await pxe.handle(request, response))) response.writeHead(404).end()
}).listen(Number(port), hostname)
process.once('SIGTERM', () => void pxe.stop().then(() => process.exit(0)))
await pxe.start()
