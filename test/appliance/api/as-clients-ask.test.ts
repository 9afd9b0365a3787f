/** What the suites of others ask in ways that nobody else does: the answers that they found to differ from Ironic's. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { enrolled, openRig } from './rig.ts'

const NOBODY = '00000000-0000-4000-8000-000000000000'

describe('the API as the suites of clients ask it', () => {
  it('takes ?detail= of volumes in each version that has volumes', async (t) => {
    const { ask } = await openRig(t)

    const at = async (path: string, version: string) => (await ask('GET', path, undefined, { version })).status

    assert.deepEqual(
      [await at('/v1/volume/connectors?detail=True', '1.32'), await at('/v1/volume/targets?detail=True', '1.32')],
      [200, 200],
    )
    assert.equal(await at('/v1/nodes?detail=True', '1.42'), 400)
  })

  it('answers 405 to a write of templates and runbooks before their version, and 404 to a read', async (t) => {
    const { ask } = await openRig(t)

    const template = await ask('POST', '/v1/deploy_templates', {}, { version: '1.54' })
    const runbook = await ask('DELETE', '/v1/runbooks/CUSTOM_A', undefined, { version: '1.91' })
    const read = await ask('GET', '/v1/runbooks', undefined, { version: '1.91' })

    assert.deepEqual([template.status, template.fault], [405, 'The API version does not allow deploy templates'])
    assert.deepEqual([runbook.status, runbook.fault], [405, 'The API version does not allow runbooks'])
    assert.equal(read.status, 404)
  })

  it('has no virtual media before its version, whatever the method', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    const put = async (version: string) => (await ask('PUT', `/v1/nodes/${uuid}/vmedia`, {}, { version })).status

    assert.deepEqual([await put('1.88'), await put('1.89')], [404, 405])
  })

  it('takes virtual media for a driver that has none, and tells it as last_error', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask, {
      driver: 'ipmi',
      driver_info: { ipmi_address: '192.0.2.1', ipmi_username: 'admin', ipmi_password: 'secret' },
    })
    const media = { device_type: 'cdrom', image_url: 'http://192.0.2.1/a.iso' }

    const attached = await ask('POST', `/v1/nodes/${uuid}/vmedia`, media)
    // It waits until the node is free.
    await ask('PATCH', `/v1/nodes/${uuid}`, [{ op: 'add', path: '/extra/a', value: 1 }])
    const { body } = await ask('GET', `/v1/nodes/${uuid}`)

    assert.equal(attached.status, 204)
    assert.match(
      String(body.last_error),
      /^Could not attach device cdrom to node \S+: Driver ipmi does not support attach_virtual_media/,
    )
  })

  it('answers 400 to the allocation of a node that is not there', async (t) => {
    const { ask } = await openRig(t)

    const { status, fault } = await ask('GET', `/v1/nodes/${NOBODY}/allocation`)

    assert.deepEqual([status, fault], [400, `Node ${NOBODY} could not be found.`])
  })

  it('takes a heartbeat that names its node in the body', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)
    const heartbeat = { callback_url: 'https://192.0.2.1:9999', agent_token: 'token', agent_version: '13.0.0' }

    const named = await ask('POST', '/v1/heartbeat', { ...heartbeat, node_ident: uuid })
    const unnamed = await ask('POST', '/v1/heartbeat', heartbeat)

    assert.equal(named.status, 202)
    assert.deepEqual([unnamed.status, unnamed.fault], [400, 'Missing mandatory parameter: node_ident'])
  })

  it('shows a console where the first clients asked for it', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)

    const { status, body } = await ask('GET', `/v1/nodes/states/console/${uuid}`)

    assert.deepEqual([status, body], [200, { console_enabled: false, console_info: null }])
  })
})
