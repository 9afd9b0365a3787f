/**
 * The deploy interface direct from the deploy call to `active`: the appliance as a process, our agent as another,
 * HTTP between them. Only the steel is missing: a folder stands for the machine, a sparse file for its disk,
 * fake-hardware for its BMC.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Child, type LogLine, startChild } from '../bench/child.ts'
import { bootedUrl, cmdlineFor, startAgent } from '../pxe/ramdisk/agent/agent-process.ts'
import { diskImage } from '../pxe/ramdisk/agent/disk-images.ts'
import { MAC, makeMachine } from '../pxe/ramdisk/agent/fake-machine.ts'
import { layRamdisk } from '../pxe/ramdisk-on-paper.ts'

const APPLIANCE = join(import.meta.dirname, '../../appliance/cli.ts')
const ANSWER_MS = 20_000
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const HEADERS = { 'content-type': 'application/json', 'x-openstack-ironic-api-version': '1.115' }

describe('a deploy with the interface direct', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'direct-'))
  const image_source = `file://${join(folder, 'disk.raw')}`
  let appliance: Child
  let api: string
  let http = ''
  let image: Buffer

  before(async () => {
    image = await diskImage('gpt')
    writeFileSync(join(folder, 'disk.raw'), image)
    layRamdisk(join(folder, 'state', 'ramdisk'))
    const config = join(folder, 'rackstrap.conf')
    writeFileSync(
      config,
      [
        `[DEFAULT]\nstate_path = ${join(folder, 'state')}\nmy_ip = 127.0.0.1\nreachable_networks = 127.0.0.1`,
        '[api]\nhost_ip = 127.0.0.1\nport = 0',
        '[deploy]\nhttp_url = http://127.0.0.1:0',
        `[conductor]\nautomated_clean = false\nfile_url_allowed_paths = ${folder}`,
        '[agent]\npost_deploy_get_power_state_retries = 1\npost_deploy_get_power_state_retry_interval = 0\n',
      ].join('\n'),
    )
    appliance = startChild([APPLIANCE, 'serve', '--config', config])
    const listening = await appliance.told('listening')
    api = String(listening.api)
    http = String(listening.http)
  })
  after(async () => {
    await appliance[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await fetch(`${api}/v1${path}`, {
      ...{ method, headers: HEADERS, body: JSON.stringify(body) },
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    const text = await answer.text()
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
  const arrival = (uuid: unknown, states: readonly string[]): Promise<LogLine> =>
    appliance.told('provision state changed', ({ node, to }) => node === uuid && states.includes(String(to)))

  /** On its way to be deployed: it waits for its agent. */
  async function deploying(name: string, mac: string, image_checksum: string): Promise<string> {
    const instance_info = { image_source, image_checksum }
    const { uuid } = await call('POST', '/nodes', { name, driver: 'fake-hardware', instance_info })
    await call('POST', '/ports', { node_uuid: uuid, address: mac })
    await call('PUT', `/nodes/${uuid}/states/provision`, { target: 'manage' })
    await arrival(uuid, ['manageable'])
    await call('PUT', `/nodes/${uuid}/states/provision`, { target: 'provide' })
    await arrival(uuid, ['available'])
    const configdrive = { meta_data: { hostname: name } }
    await call('PUT', `/nodes/${uuid}/states/provision`, { target: 'active', configdrive })
    return String(uuid)
  }

  it('ends with the image on the disk and the node active', async () => {
    const uuid = await deploying('n1', MAC, sha256(image))
    await arrival(uuid, ['wait call-back'])
    await using machine = await makeMachine({ cmdline: cmdlineFor({ url: await bootedUrl(http, MAC) }) })
    await using _agent = startAgent(machine)

    const { to } = await arrival(uuid, ['active', 'deploy failed'])

    const { last_error } = await call('GET', `/nodes/${uuid}`)
    assert.deepEqual({ to, last_error }, { to: 'active', last_error: null })
    // The partition table now ends at the disk's end, and knows of the config drive.
    const after_table = 64 * 1024
    const written = await machine.read('vda', after_table, image.length - 2 * after_table)
    assert.ok(written.equals(image.subarray(after_table, -after_table)))
    assert.match(await machine.console(), /Writing image disk\.raw to \/dev\/vda/)
    assert.match(await machine.console(), /Config drive written to partition/)
    const calls = await machine.calls()
    assert.ok(calls.includes('sync '), `the disks were not flushed: ${calls.join(', ')}`)
  })
  it('fails with the reason, while the machine still boots, when the image is not what its checksum says', async () => {
    const uuid = await deploying('n2', '52:54:00:00:00:02', 'a3'.repeat(32))

    const { to } = await arrival(uuid, ['active', 'deploy failed'])

    const { last_error } = await call('GET', `/nodes/${uuid}`)
    assert.equal(to, 'deploy failed')
    assert.equal(
      last_error,
      `The image of node ${uuid} cannot be had: The supplied image checksum is invalid or does not match: ` +
        `image ${image_source} (${image.length} bytes) has another sha256 than ${'a3'.repeat(32)}. ` +
        'Correct image_checksum or image_os_hash_value, or the image.',
    )
  })
})
