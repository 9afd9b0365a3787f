/** A name server of the attacker's answers with an address that may be reached, and with another one afterwards. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { temporaryFolder } from '../registry-mirror/registry.ts'
import { SECRET, startVictim } from './victim.ts'

const CHILD = join(import.meta.dirname, 'rebound.ts')
const DEADLINE_MS = 60_000

describe('a name that changes its address', () => {
  it('is looked at at each connection: the second one, to the box itself, is not made', async (t) => {
    const folder = temporaryFolder(t)
    const hosts = join(folder, 'hosts')
    writeFileSync(hosts, '')
    const allowed = await startVictim(t, '127.0.0.2', (_, response) => {
      response.writeHead(200, { connection: 'close' }).end('what may be had')
    })
    const victim = await startVictim(t, '127.0.0.1', (_, response) => void response.end(SECRET), allowed.port)
    const mount = 'mount --bind "$0" /etc/hosts && exec "$@"'
    const child = [process.execPath, CHILD, hosts, `http://rebound.test:${allowed.port}/`]

    const { stdout } = await promisify(execFile)('unshare', ['--mount', 'sh', '-c', mount, hosts, ...child], {
      timeout: DEADLINE_MS,
    })

    const [first, second] = JSON.parse(stdout) as string[]
    assert.equal(first, 'what may be had')
    assert.match(String(second), /rebound\.test is at 127\.0\.0\.1, which is a loopback address: /)
    assert.deepEqual([allowed.connections, victim.connections], [1, 0])
  })
})
