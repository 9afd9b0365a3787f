/** What cloud-init finds on a machine, and which config drives are refused before one is started. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { checkConfigDrive, encodeConfigDrive } from '../../../appliance/images/config-drive.ts'
import { temporaryFolder } from './images-in-folder.ts'

const signal = AbortSignal.timeout(20_000)

describe('a config drive made from JSON', () => {
  it('is an ISO 9660 volume config-2 that holds what was given', async (t) => {
    const folder = temporaryFolder()
    t.after(() => rmSync(folder, { recursive: true }))
    const drive = {
      meta_data: { uuid: 'u', name: 'gråskägg' },
      user_data: '#cloud-config\nruncmd: []\n',
      network_data: { links: [] },
      vendor_data: { key: 1 },
    }

    const encoded = await encodeConfigDrive(drive, signal)

    const volume = gunzipSync(Buffer.from(encoded, 'base64'))
    const path = join(folder, 'volume.iso')
    writeFileSync(path, volume)
    const read = (name: string) =>
      execFileSync('isoinfo', ['-R', '-i', path, '-x', `/openstack/latest/${name}`]).toString()
    assert.equal(volume.toString('latin1', 0x8028, 0x8030), 'config-2')
    assert.deepEqual(JSON.parse(read('meta_data.json')), drive.meta_data)
    assert.equal(read('user_data'), drive.user_data)
    assert.deepEqual(JSON.parse(read('network_data.json')), drive.network_data)
    assert.deepEqual(JSON.parse(read('vendor_data.json')), drive.vendor_data)
    checkConfigDrive(encoded)
  })

  it('holds user_data that is JSON as JSON, and nothing that was not given', async (t) => {
    const folder = temporaryFolder()
    t.after(() => rmSync(folder, { recursive: true }))

    const encoded = await encodeConfigDrive({ meta_data: {}, user_data: { ignition: {} } }, signal)

    const path = join(folder, 'volume.iso')
    writeFileSync(path, gunzipSync(Buffer.from(encoded, 'base64')))
    const names = execFileSync('isoinfo', ['-R', '-f', '-i', path]).toString().trim().split('\n')
    assert.deepEqual(names.filter((name) => name.startsWith('/openstack/latest/')).sort(), [
      '/openstack/latest/meta_data.json',
      '/openstack/latest/user_data',
    ])
    const user_data = execFileSync('isoinfo', ['-R', '-i', path, '-x', '/openstack/latest/user_data']).toString()
    assert.equal(user_data, '{"ignition":{}}')
  })

  it('may not be larger than 64 MiB', async () => {
    const user_data = 'x'.repeat(33 * 1024 * 1024)

    await assert.rejects(encodeConfigDrive({ user_data }, signal), {
      name: 'InvalidParameterValue',
      message: 'The config drive is too large: its files have 69206020 bytes, the most is 64 MiB. Put less into it.',
    })
  })

  it('leaves nothing behind when nobody waits for it any more', async () => {
    await assert.rejects(encodeConfigDrive({}, AbortSignal.abort(new Error('gone'))), /gone/)
  })
})

describe('a config drive made elsewhere', () => {
  it('is base64 of a gzip file, lines broken or not, or an http(s) address', () => {
    const text = gzipSync(randomBytes(3000)).toString('base64')

    checkConfigDrive(text)
    checkConfigDrive(text.replace(/(.{76})/g, '$1\n'))
    checkConfigDrive('https://images.example/drive')
  })

  it('is refused otherwise', () => {
    const message =
      'The config drive is not one: expected JSON (meta_data, user_data, network_data, vendor_data), base64 of a gzipped ISO 9660 volume, or an http(s) address of such a text.'
    for (const text of ['', 'hello', Buffer.from('plain text').toString('base64'), 'file:///etc/shadow', 'H4sI*']) {
      assert.throws(() => checkConfigDrive(text), { name: 'InvalidParameterValue', message }, text)
    }
    assert.throws(() => checkConfigDrive('http://'), /not an address/)
  })
})
