/** The real `baremetal` client against the API on a socket, the real conductor behind it, fake-hardware for steel. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { listen } from '../../../appliance/serve/listen.ts'
import { run } from '../../rack/run-program.ts'
import { type Json, openRig } from './rig.ts'

const CLIENT_DEADLINE_S = 60

async function withClient(t: TestContext) {
  const rig = await openRig(t, { conductor: (real) => real })
  const server = await listen(rig.app.fetch, { host: '127.0.0.1', port: 0 })
  t.after(() => server.close())
  const env = {
    ...process.env,
    OS_AUTH_TYPE: 'none',
    OS_ENDPOINT: `http://127.0.0.1:${server.port}`,
    PYTHONWARNINGS: 'ignore',
  }
  const baremetal = (...words: string[]) =>
    run('baremetal', words, { env, timeout_s: CLIENT_DEADLINE_S, signal: t.signal })
  const json = async (...words: string[]): Promise<unknown> => JSON.parse(await baremetal(...words, '-f', 'json'))
  return { ...rig, server, baremetal, json }
}

describe('the baremetal client', () => {
  it('creates, sets, shows, lists, validates, manages and deletes a node', async (t) => {
    const { baremetal, json, store } = await withClient(t)

    const options = ['--deploy-interface', 'direct', '--driver-info', 'ipmi_password=hunter2', '--property', 'cpus=4']
    const created = (await json('node', 'create', '--driver', 'fake-hardware', '--name', 'n1', ...options)) as Json
    assert.deepEqual([created.name, created.provision_state], ['n1', 'enroll'])
    assert.deepEqual(created.driver_info, { ipmi_password: '******' })

    const [, port, drivers] = await Promise.all([
      baremetal(
        'node',
        'set',
        'n1',
        '--instance-info',
        'image_source=https://i.example/a',
        '--resource-class',
        'small',
      ),
      json('port', 'create', '52:54:00:12:34:56', '--node', String(created.uuid)),
      json('driver', 'list'),
    ])
    assert.equal((port as Json).node_uuid, created.uuid)
    assert.deepEqual(
      (drivers as Json[]).map((driver) => driver['Supported driver(s)']),
      ['fake-hardware', 'ipmi'],
    )

    await baremetal('node', 'manage', 'n1', '--wait')
    await baremetal('node', 'maintenance', 'set', 'n1', '--reason', 'fan')
    const [shown, list, validation] = await Promise.all([
      json('node', 'show', 'n1', '--fields', 'uuid', 'maintenance_reason', 'resource_class', 'instance_info'),
      json('node', 'list'),
      json('node', 'validate', 'n1'),
    ])
    assert.deepEqual(shown, {
      uuid: created.uuid,
      maintenance_reason: 'fan',
      resource_class: 'small',
      instance_info: { image_source: 'https://i.example/a' },
    })
    assert.deepEqual(list, [
      {
        UUID: created.uuid,
        Name: 'n1',
        'Instance UUID': null,
        'Power State': 'power off',
        'Provisioning State': 'manageable',
        Maintenance: true,
      },
    ])
    assert.equal((validation as Json[]).find(({ Interface }) => Interface === 'power')?.Result, true)

    await baremetal('node', 'delete', 'n1')
    assert.deepEqual([store.nodes.size, store.ports.size], [0, 0])
  })

  it('shows the reason of a refusal', async (t) => {
    const { baremetal } = await withClient(t)

    await assert.rejects(
      baremetal('node', 'create', '--driver', 'redfysh'),
      /No conductor service registered which supports driver redfysh .*\(HTTP 400\)/,
    )
  })
})

describe('a body of 10 MB on the wire', () => {
  it('is answered with 413 before it was sent', async (t) => {
    const { server } = await withClient(t)
    let sent = 0
    const body = new ReadableStream({
      pull(controller) {
        sent += 65536
        controller.enqueue(new Uint8Array(65536).fill(0x20))
        if (sent >= 10 * 1024 * 1024) controller.close()
      },
    })

    const request = { method: 'POST', body, duplex: 'half', signal: t.signal } as RequestInit
    const response = await fetch(`http://127.0.0.1:${server.port}/v1/nodes`, request)

    assert.equal(response.status, 413)
    assert.ok(sent < 10 * 1024 * 1024, `${sent} bytes were sent`)
  })
})
