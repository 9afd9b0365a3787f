/**
 * Fetches an address twice, as the appliance does, and changes what its name means in between: HOSTS URL. HOSTS is
 * mounted over /etc/hosts. Tells both outcomes as JSON.
 */
import { writeFileSync } from 'node:fs'
import { openImages } from '../appliance/images/images-in-folder.ts'

const [, , hosts = '', url = ''] = process.argv
await using box = await openImages({ ini: '[DEFAULT]\nreachable_networks = 127.0.0.2\n' })
const { signal } = box.request({})
const outcomes: string[] = []
for (const address of ['127.0.0.2', '127.0.0.1']) {
  writeFileSync(hosts, `${address} rebound.test\n`)
  outcomes.push(await box.images.fetchText(new URL(url), 1000, signal).catch((error: Error) => error.message))
}
process.stdout.write(JSON.stringify(outcomes))
