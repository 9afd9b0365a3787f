/** The agent's calls to Ironic, to servers of every age, and to some that are none. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createIronicApi } from '../../../../../pxe/ramdisk/agent/protocol/ironic-api.ts'
import { fault, NODE_UUID, startIronic } from '../fake-ironic.ts'

const apiOf = (urls: readonly string[], version?: string) =>
  createIronicApi({
    urls,
    timeout_s: 10,
    tls: { insecure: false, minVersion: 'TLSv1.2' },
    agent_version: '13.0.0',
    version,
    global_request_id: 'req-1',
  })
const HEARTBEAT = {
  uuid: NODE_UUID,
  callback_url: 'https://192.0.2.7:9999',
  agent_token: 'token',
  certificate: 'PEM',
}

describe('calls to Ironic', () => {
  for (const [version, fields, used] of [
    ['1.115', ['callback_url', 'agent_token', 'agent_version', 'agent_verify_ca'], '1.68'],
    ['1.68', ['callback_url', 'agent_token', 'agent_version', 'agent_verify_ca'], '1.68'],
    ['1.67', ['callback_url', 'agent_token', 'agent_version'], '1.67'],
    ['1.61', ['callback_url', 'agent_version'], '1.61'],
    ['1.31', ['callback_url'], '1.31'],
  ] as const) {
    it(`send a server of version ${version} a heartbeat that it knows`, async () => {
      await using ironic = await startIronic({ version })
      const api = apiOf([ironic.url])
      await api.reach()

      const { accepted } = await api.heartbeat(HEARTBEAT)

      const call = ironic.calls[1]
      assert.ok(accepted)
      assert.deepEqual(Object.keys(call?.body as object).sort(), [...fields].sort())
      assert.equal(call?.headers['x-openstack-ironic-api-version'], used)
      assert.equal(call.headers['x-openstack-request-id'], 'req-1')
      assert.equal(api.supportsTls(), version !== '1.67' && version !== '1.61' && version !== '1.31')
    })
  }

  it('look nodes up by version 1.62 at most', async () => {
    for (const [version, used] of [
      ['1.115', '1.62'],
      ['1.50', '1.50'],
    ] as const) {
      await using ironic = await startIronic({ version })
      const api = apiOf([ironic.url])
      await api.reach()

      await api.lookup(['52:54:00:12:34:56', '52:54:00:12:34:57'], NODE_UUID)

      assert.equal(ironic.calls[1]?.headers['x-openstack-ironic-api-version'], used)
      assert.equal(
        ironic.calls[1]?.url,
        `/v1/lookup?addresses=52%3A54%3A00%3A12%3A34%3A56%2C52%3A54%3A00%3A12%3A34%3A57&node_uuid=${NODE_UUID}`,
      )
    }
  })

  it('use the version that ipa-ironic-api-version names', async () => {
    await using ironic = await startIronic()
    const api = apiOf([ironic.url], '1.63')
    await api.reach()

    await api.heartbeat(HEARTBEAT)

    assert.equal(ironic.calls[1]?.headers['x-openstack-ironic-api-version'], '1.63')
  })

  for (const [what, root] of [
    ["a proxy's page", '<html>Bad gateway</html>'],
    ['another JSON', '[]'],
    ['a version that is none', '{"default_version":{"version":"new"}}'],
  ] as const) {
    it(`take a server that answers with ${what} for the oldest`, async () => {
      await using ironic = await startIronic({ roots: [{ status: 200, body: root }] })
      const api = apiOf([ironic.url])

      await api.reach()

      assert.equal(api.supportsTls(), false)
    })
  }

  it('do not take a server that is only starting for an old one', async () => {
    await using ironic = await startIronic({ roots: [{ status: 503 }] })
    const api = apiOf([ironic.url])

    await assert.rejects(api.reach(), { message: `${ironic.url}: status code 503` })
    await api.reach()

    assert.equal(api.supportsTls(), true)
  })

  it('go to the next address when one does not answer, and stay with it', async () => {
    await using ironic = await startIronic()
    const api = apiOf(['http://127.0.0.1:1', ironic.url])

    const { localAddress } = await api.reach()

    assert.equal(localAddress, '127.0.0.1')
    assert.equal(api.url, ironic.url)
  })

  it('tell of each address why it did not answer', async () => {
    await assert.rejects(apiOf(['http://127.0.0.1:1', 'http://u:hush@127.0.0.1:2']).reach(), {
      message:
        'http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1; http://127.0.0.1:2: connect ECONNREFUSED 127.0.0.1:2',
    })
  })

  it("tell a refusal in Ironic's words", async () => {
    const why = 'Invalid or missing agent token received.'
    await using ironic = await startIronic({
      heartbeats: [fault(400, why), { status: 503, body: 'Service unavailable' }],
      lookups: [
        fault(409, 'Node 1be2 is locked by host a'),
        { status: 200, body: { node: {} } },
        { status: 200, body: '<html>' },
        { status: 406, body: { error_message: '{"code":406,"title":"Not Acceptable"}' } },
      ],
    })
    const api = apiOf([ironic.url])
    await api.reach()

    assert.deepEqual(await api.heartbeat(HEARTBEAT), { accepted: false, status: 400, why: `400 ${why}` })
    assert.deepEqual(await api.heartbeat(HEARTBEAT), { accepted: false, status: 503, why: '503 Service unavailable' })
    assert.deepEqual(await api.lookup([]), { kind: 'locked', why: '409 Node 1be2 is locked by host a' })
    const empty = { kind: 'refused', status: 200, why: 'the answer names no node, or holds no configuration' }
    assert.deepEqual(await api.lookup([]), empty)
    assert.deepEqual(await api.lookup([]), empty)
    assert.deepEqual(await api.lookup([]), { kind: 'refused', status: 406, why: '406 Not Acceptable' })
  })
})
