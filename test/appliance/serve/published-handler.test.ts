/** A text that was published for one machine, over a real socket. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLog } from '../../../appliance/log.ts'
import { startRackServer } from '../../../appliance/rack-server.ts'
import { publishedHandler } from '../../../appliance/serve/published-handler.ts'

const NODE = '1be26c0b-03f2-4d2e-ae87-c02d7f33c123'
const PATH = `/nodes/${NODE}/${'k'.repeat(32)}/ks.cfg`

describe('text that was published for a machine', () => {
  it('is handed out at its address, and neither kept on the way nor told to the log', async (t) => {
    const lines: string[] = []
    const log = createLog('debug', (line) => lines.push(line))
    const publishedText = (path: string) =>
      path === PATH ? { node: NODE, name: 'ks.cfg', text: 'rootpw hüüntér2' } : undefined
    const server = await startRackServer(
      { host: '127.0.0.1', port: 0 },
      [publishedHandler({ publishedText, mayFetch: async () => true }, log)],
      log,
    )
    t.after(() => server.close())
    const url = `http://127.0.0.1:${server.port}`

    const found = await fetch(`${url}${PATH}?mac=1`)
    const head = await fetch(`${url}${PATH}`, { method: 'HEAD' })
    const other = await fetch(`${url}${PATH.replace('kk', 'kl')}`)

    assert.deepEqual([found.status, await found.text()], [200, 'rootpw hüüntér2'])
    assert.deepEqual(
      ['content-type', 'content-length', 'cache-control'].map((name) => found.headers.get(name)),
      ['text/plain; charset=utf-8', '18', 'no-store'],
    )
    assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '18', ''])
    assert.equal(other.status, 404)
    assert.match(lines.join(), /published text served/)
    assert.doesNotMatch(lines.join(), /rootpw|kkkk/)
  })
})
