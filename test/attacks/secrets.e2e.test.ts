/** Somebody who may ask the API, and may read the log or a copy of state_path, wants what he was not told. */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Box, startBox } from './box.ts'

const SETTINGS = `[DEFAULT]
enabled_hardware_types = ipmi, fake-hardware
reachable_networks = 127.0.0.0/8
debug = True
`
const HEADERS = { 'content-type': 'application/json', 'x-openstack-ironic-api-version': '1.115' }
type Json = Record<string, unknown>

/** Presence Ping and Get Channel Authentication Capabilities tell nothing; all else opens a session. IPMI 13.2 */
const opensSession = (packet: Buffer) => packet[3] === 0x07 && packet[4] !== 0x00

const GET_AUTHENTICATION_CAPABILITIES = 0x38
/** IPMI 2.0, with every way to log in. Section 22.13 */
function capabilities(question: Buffer): Buffer {
  const body = Buffer.from([
    0x20,
    question[18] ?? 0,
    GET_AUTHENTICATION_CAPABILITIES,
    0,
    1,
    0x97,
    0x04,
    0x02,
    0,
    0,
    0,
    0,
  ])
  const checksum = -body.reduce((sum, byte) => sum + byte, 0) & 0xff
  const message = Buffer.concat([Buffer.from([0x81, 0x1c, 0x63]), body, Buffer.from([checksum])])
  return Buffer.concat([Buffer.from('0600ff07000000000000000000', 'hex'), Buffer.from([message.length]), message])
}

/** Whoever stands at the new address: answers that it speaks IPMI 2.0, and keeps what it is sent. */
async function listener(t: { after(end: () => unknown): void }): Promise<{ socket: Socket; packets: Buffer[] }> {
  const socket = createSocket('udp4')
  const packets: Buffer[] = []
  socket.on('message', (packet, from) => {
    packets.push(packet)
    if (packet[19] === GET_AUTHENTICATION_CAPABILITIES) socket.send(capabilities(packet), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return { socket, packets }
}

const PLANTED = {
  driver_info: {
    ipmi_address: '127.0.0.1',
    ipmi_port: 9,
    ipmi_password: 'planted-a1',
    image_http_proxy: 'http://proxy:planted-b2@127.0.0.1:9/',
    nested: [{ api_key: 'planted-c3' }],
  },
  instance_info: {
    image_url: 'https://images.example/planted-d4',
    image_source: 'https://images.example/a?X-Amz-Signature=planted-e5',
    image_pull_secret: 'planted-f6',
    configdrive: 'cGxhbnRlZC1nNw==planted-g7',
  },
  extra: { passphrase: 'planted-h8' },
  properties: { private_key: 'planted-i9' },
}
const ANY_PLANTED = /planted-[a-z]\d/

describe('secrets of a node', () => {
  let box: Box
  const asked: string[] = []
  const ask = async (method: string, path: string, body?: unknown) => {
    const init = { method, headers: HEADERS, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const response = await fetch(`${box.api}${path}`, init)
    const text = await response.text()
    asked.push(text)
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Json }
  }

  const ends: (() => unknown)[] = []
  before(async () => {
    box = await startBox({ after: (end) => ends.unshift(end) }, SETTINGS)
  })
  after(async () => {
    for (const end of ends) await end()
  })

  it('are in no answer, no line of the log at debug, and no file of state_path, whatever is asked', async () => {
    const { body: made, status } = await ask('POST', '/v1/nodes', { driver: 'ipmi', ...PLANTED })
    const { uuid } = made as { uuid: string }
    assert.equal(status, 201)
    for (const [method, path, body] of [
      ['GET', `/v1/nodes/${uuid}`],
      ['GET', '/v1/nodes/detail'],
      ['GET', `/v1/nodes/${uuid}/validate`],
      ['PATCH', `/v1/nodes/${uuid}`, [{ op: 'add', path: '/driver_info/ipmi_password', value: { a: 'planted-j1' } }]],
      ['PATCH', `/v1/nodes/${uuid}`, [{ op: 'replace', path: '/driver_info/none', value: 'planted-k2' }]],
      ['POST', '/v1/nodes', { driver: 'none', driver_info: PLANTED.driver_info }],
      ['POST', '/v1/nodes', { driver: 'ipmi', driver_info: 'planted-l3' }],
      ['PUT', `/v1/nodes/${uuid}/states/power`, { target: 'power on' }],
      ['PUT', `/v1/nodes/${uuid}/states/provision`, { target: 'manage' }],
    ] as const)
      await ask(method, path, body)
    const files = (await readdir(box.state_path, { recursive: true, withFileTypes: true })).filter((one) =>
      one.isFile(),
    )

    const found = await Promise.all(
      files.map(async ({ parentPath, name }) => {
        const text = await readFile(join(parentPath, name), 'latin1').catch(() => '')
        return ANY_PLANTED.test(text) ? [name] : []
      }),
    )
    assert.deepEqual(found.flat(), [])
    assert.ok(files.some(({ name }) => name.includes(uuid) || name.endsWith('.log')))
    assert.doesNotMatch(JSON.stringify(box.lines), ANY_PLANTED)
    // What was given and is no string of its own may be named by its kind, never by its text.
    assert.deepEqual(
      asked.flatMap((text) => ANY_PLANTED.exec(text)?.[0] ?? []),
      [],
    )
  })

  it('are not tried at an address that somebody else gives', async (t) => {
    const { socket, packets } = await listener(t)
    const { body: made } = await ask('POST', '/v1/nodes', { driver: 'ipmi', ...PLANTED })
    const { uuid } = made as { uuid: string }
    const { body: shown } = await ask('GET', `/v1/nodes/${uuid}`)
    const driver_info = { ...(shown.driver_info as Json), ipmi_port: socket.address().port }

    const patched = await ask('PATCH', `/v1/nodes/${uuid}`, [
      { op: 'replace', path: '/driver_info', value: driver_info },
    ])
    await ask('PUT', `/v1/nodes/${uuid}/states/power`, { target: 'power on' })
    const signal = AbortSignal.timeout(60_000)
    const lastError = async (): Promise<string> => {
      signal.throwIfAborted()
      return String((await ask('GET', `/v1/nodes/${uuid}`)).body.last_error ?? '') || lastError()
    }

    assert.equal(patched.status, 200)
    assert.match(await lastError(), /was given for another driver_info\/ipmi_port, and went when that changed/)
    assert.deepEqual(packets.filter(opensSession), [])
    assert.equal((patched.body.driver_info as Json).ipmi_password, undefined)
    // The listener would have been talked to: it is, once the password is given for it.
    const given = [{ op: 'add', path: '/driver_info/ipmi_password', value: 'for-this-one' }]
    assert.equal((await ask('PATCH', `/v1/nodes/${uuid}`, given)).status, 200)
    await ask('PUT', `/v1/nodes/${uuid}/states/power`, { target: 'power on' })
    while (!packets.some(opensSession)) await once(socket, 'message', { signal })
  })
})
