/** How a machine finds out which node it is. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createIronicApi } from '../../../../../pxe/ramdisk/agent/protocol/ironic-api.ts'
import { type LookupOptions, waitForLookup } from '../../../../../pxe/ramdisk/agent/protocol/lookup.ts'
import { type Answer, fault, NODE_UUID, startIronic } from '../fake-ironic.ts'

const MACS = ['52:54:00:12:34:56']

async function lookUp(lookups: Answer[], options: Partial<LookupOptions> = {}) {
  await using ironic = await startIronic({ lookups })
  const api = createIronicApi({
    urls: [ironic.url],
    timeout_s: 10,
    tls: { insecure: false, minVersion: 'TLSv1.2' },
    agent_version: '13.0.0',
  })
  const said: string[] = []
  const screen = { say: (text: string) => said.push(text.replaceAll(ironic.url, 'URL')), note() {}, progress() {} }
  const standard = { timeout_s: 5, interval_s: 0.01, max_interval_s: 0.02, lock_pauses_s: [0.05, 0.1] }
  const outcome = await waitForLookup(api, async () => MACS, screen, { ...standard, ...options }).catch(
    (error: Error) => error,
  )
  return { outcome, said, lookups: ironic.named('/v1/lookup').length, url: ironic.url }
}

describe('the lookup', () => {
  it('waits for a locked node, longer each time', async () => {
    const locked = fault(409, 'Node is locked by host a')
    const started = performance.now()

    const { outcome, said, lookups } = await lookUp([locked, locked])

    assert.ok(!(outcome instanceof Error))
    assert.equal(outcome.node.uuid, NODE_UUID)
    assert.equal(lookups, 3)
    assert.ok(performance.now() - started >= 150)
    assert.deepEqual(said, ['Node is locked at URL (409 Node is locked by host a). Waiting for it.'])
  })

  it('asks again after answers that are none', async () => {
    const { outcome, said } = await lookUp([
      { status: 500, body: '<html>' },
      { status: 200, body: '{"node": null}' },
      { status: 200, body: 'garbage' },
    ])

    assert.ok(!(outcome instanceof Error))
    assert.deepEqual(said, [
      'Lookup refused by URL for the MAC addresses 52:54:00:12:34:56: 500 <html>. Asking again.',
      'Lookup refused by URL for the MAC addresses 52:54:00:12:34:56: the answer names no node, or holds no configuration. Asking again.',
    ])
  })

  it('gives up at its time, with the last reason', async () => {
    const { outcome, url } = await lookUp(Array<Answer>(100).fill(fault(404, 'Resource could not be found.')), {
      timeout_s: 0.1,
    })

    assert.ok(outcome instanceof Error)
    assert.equal(
      outcome.message,
      `Error getting configuration from Ironic: Lookup refused by ${url}: no node has a port with one of this machine's MAC ` +
        'addresses (52:54:00:12:34:56), or that node is not being deployed, cleaned or inspected. Create the port, or deploy the ' +
        'node; asking again. Gave up after 0.1 s.',
    )
  })
})
