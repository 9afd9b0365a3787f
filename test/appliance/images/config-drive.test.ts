/** What cloud-init finds on a machine, and which config drives are refused before one is started. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import {
  type ConfigDrive,
  checkConfigDrive,
  encodeConfigDrive,
  type Instance,
} from '../../../appliance/images/config-drive.ts'
import { temporaryFolder } from './images-in-folder.ts'

const signal = () => AbortSignal.timeout(20_000)
const INSTANCE = { uuid: 'aaaaaaaa-0000-4000-8000-000000000001', name: 'rack7-n3' }

/** meta_data.json of what was made. */
async function metaDataOf(drive: ConfigDrive, instance: Instance): Promise<unknown> {
  const folder = temporaryFolder()
  try {
    const path = join(folder, 'volume.iso')
    writeFileSync(path, gunzipSync(Buffer.from(await encodeConfigDrive(drive, instance, signal()), 'base64')))
    return JSON.parse(execFileSync('isoinfo', ['-R', '-i', path, '-x', '/openstack/latest/meta_data.json']).toString())
  } finally {
    rmSync(folder, { recursive: true })
  }
}

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

    const encoded = await encodeConfigDrive(drive, INSTANCE, signal())

    const volume = gunzipSync(Buffer.from(encoded, 'base64'))
    const path = join(folder, 'volume.iso')
    writeFileSync(path, volume)
    const read = (name: string) =>
      execFileSync('isoinfo', ['-R', '-i', path, '-x', `/openstack/latest/${name}`]).toString()
    assert.equal(volume.toString('latin1', 0x8028, 0x8030), 'config-2')
    assert.deepEqual(JSON.parse(read('meta_data.json')), drive.meta_data)
    assert.equal(read('user_data'), drive.user_data)
    assert.deepEqual(JSON.parse(read('network_data.json')), drive.network_data)
    assert.deepEqual(JSON.parse(read('vendor_data2.json')), drive.vendor_data)
    await checkConfigDrive(encoded)
  })

  it('holds user_data that is JSON as JSON, and nothing that was not given', async (t) => {
    const folder = temporaryFolder()
    t.after(() => rmSync(folder, { recursive: true }))

    const encoded = await encodeConfigDrive(
      { meta_data: {}, network_data: {}, user_data: { ignition: {} } },
      INSTANCE,
      signal(),
    )

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

  it("has the node's uuid and name in meta_data.json, as cloud-init takes no drive without a uuid", async () => {
    const found = await Promise.all([
      metaDataOf({}, INSTANCE),
      metaDataOf({ meta_data: { hostname: 'n' } }, { ...INSTANCE, name: null }),
      metaDataOf({ meta_data: { uuid: 'u', name: 'mine' } }, INSTANCE),
    ])

    assert.deepEqual(found, [INSTANCE, { uuid: INSTANCE.uuid, hostname: 'n' }, { uuid: 'u', name: 'mine' }])
  })

  it('may not be larger than 64 MiB', async () => {
    const user_data = 'x'.repeat(33 * 1024 * 1024)

    await assert.rejects(encodeConfigDrive({ user_data }, INSTANCE, signal()), {
      name: 'InvalidParameterValue',
      message: 'The config drive is too large: its files have 69206146 bytes, the most is 64 MiB. Put less into it.',
    })
  })

  it('leaves nothing behind when nobody waits for it any more', async () => {
    await assert.rejects(encodeConfigDrive({}, INSTANCE, AbortSignal.abort(new Error('gone'))), /gone/)
  })
})

describe('a config drive made elsewhere', () => {
  const EXPECTED =
    'expected JSON (meta_data, user_data, network_data, vendor_data), base64 of a gzipped ISO 9660 volume, or an http(s) address of such a text.'
  const MAKE = 'Make it so: gzip -c drive.iso | base64 -w0.'
  const base64 = (bytes: Buffer) => bytes.toString('base64')
  const refuses = (text: string, message: string | RegExp) =>
    assert.rejects(checkConfigDrive(text), { name: 'InvalidParameterValue', code: 400, message }, text.slice(0, 80))

  it('is base64 of a gzipped ISO 9660 volume, lines broken or not, or an http(s) address', async () => {
    const text = await encodeConfigDrive({ user_data: base64(randomBytes(3000)) }, INSTANCE, signal())

    await checkConfigDrive(text)
    await checkConfigDrive(text.replace(/(.{76})/g, '$1\n'))
    await checkConfigDrive('https://images.example/drive')
  })

  it('may have as many blanks behind its padding as it likes, and nothing else', async () => {
    const volume = gunzipSync(Buffer.from(await encodeConfigDrive({}, INSTANCE, signal()), 'base64'))
    const texts = Array.from({ length: 40 }, (_, bytes) =>
      base64(gzipSync(Buffer.concat([volume, randomBytes(bytes)]))),
    )
    const text = texts.find((one) => one.endsWith('==')) ?? assert.fail('none is padded')
    const blanks = '\n'.repeat(300_000)
    const before = ' '.repeat(128 * 1024 - text.length + 1)

    await checkConfigDrive(text + blanks)
    await checkConfigDrive(before + text)
    await refuses(`${text}${blanks}A`, `The config drive is neither an address nor base64: ${EXPECTED}`)
    await refuses(`${text}${blanks}=`, `The config drive is neither an address nor base64: ${EXPECTED}`)
  })

  it('is refused otherwise, with what was found', async () => {
    const whole = Buffer.from(await encodeConfigDrive({}, INSTANCE, signal()), 'base64')

    await refuses(' ', `The config drive is empty: ${EXPECTED}`)
    for (const text of ['hello', '#cloud-config', 'file:///etc/shadow', 'H4sI*']) {
      await refuses(text, `The config drive is neither an address nor base64: ${EXPECTED}`)
    }
    await refuses(
      base64(Buffer.from('#cloud-config')),
      `The config drive is base64 of something that is not gzipped: ${EXPECTED} ${MAKE}`,
    )
    await refuses(
      base64(gunzipSync(whole)),
      `The config drive is base64 of an ISO 9660 volume that is not gzipped: ${EXPECTED} ${MAKE}`,
    )
    await refuses(
      base64(gzipSync('#cloud-config')),
      `The config drive is base64 of a gzip of something that is no ISO 9660 volume: ${EXPECTED} ${MAKE}`,
    )
    await refuses(
      base64(whole.subarray(0, whole.length / 2)),
      `The config drive cannot be unpacked: unexpected end of file. ${MAKE}`,
    )
    await refuses('http://', /not an address/)
  })

  it('is unpacked no further than 64 MiB', async () => {
    const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024))

    await refuses(
      base64(bomb),
      'The config drive is too large: its volume is larger, the most is 64 MiB. Put less into it.',
    )
  })
})
