/** Which checksum an image must have. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { expectedChecksum, findChecksum } from '../../../../../pxe/ramdisk/agent/image/checksum.ts'
import { parseImageInfo } from '../../../../../pxe/ramdisk/agent/image/image-info.ts'
import { serve, startImageServer, status } from '../image-server.ts'

const MD5 = 'd41d8cd98f00b204e9800998ecf8427e'
const SHA256 = 'a'.repeat(64)
const SHA512 = 'b'.repeat(128)

async function expected(fields: Record<string, unknown>, md5_enabled = true) {
  const image = parseImageInfo({ id: 'debian', urls: ['http://192.0.2.1/d/debian.raw'], ...fields }, { md5_enabled })
  const tls = { insecure: false, minVersion: 'TLSv1.2' } as const
  return expectedChecksum(image, { md5_enabled, timeout_s: 10, retries: 1, retry_interval_s: 0, tls })
}

describe('the checksum of an image', () => {
  for (const [fields, checksum] of [
    [{ checksum: MD5 }, { algorithm: 'md5', value: MD5 }],
    [{ checksum: SHA256.toUpperCase() }, { algorithm: 'sha256', value: SHA256 }],
    [{ checksum: SHA512 }, { algorithm: 'sha512', value: SHA512 }],
    [
      { os_hash_algo: 'sha512', os_hash_value: SHA512, checksum: MD5 },
      { algorithm: 'sha512', value: SHA512 },
    ],
    [
      { os_hash_algo: 'sha3-256', os_hash_value: SHA256 },
      { algorithm: 'sha3-256', value: SHA256 },
    ],
    [
      { os_hash_algo: 'whirlpool-9', os_hash_value: 'x', checksum: SHA256 },
      { algorithm: 'sha256', value: SHA256 },
    ],
  ] as const) {
    it(`is ${checksum.algorithm} of ${checksum.value.length} digits from ${Object.keys(fields).join(' and ')}`, async () => {
      assert.deepEqual(await expected(fields), checksum)
    })
  }

  for (const [what, fields, details] of [
    [
      'of no known length',
      { checksum: 'a'.repeat(40) },
      'Download of image debian failed: it cannot be verified: its checksum has 40 characters, which is no md5, sha256 or sha512.',
    ],
    [
      'by an unknown algorithm',
      { os_hash_algo: 'crc32', os_hash_value: 'abc' },
      "Download of image debian failed: it cannot be verified: os_hash_algo 'crc32' is not known to this ramdisk. Use sha256 or " +
        'sha512, or set checksum.',
    ],
  ] as const) {
    it(`${what} is an error`, async () => {
      await assert.rejects(expected(fields), { kind: 'ImageDownloadError', details })
    })
  }

  it('by MD5 is refused where the service forbids it', async () => {
    await assert.rejects(expected({ os_hash_algo: 'md5', os_hash_value: MD5 }, false), {
      details:
        'Download of image debian failed: it cannot be verified: MD5 is not allowed ([agent] allow_md5_checksum). Use ' +
        'image_os_hash_algo and image_os_hash_value.',
    })
    await assert.rejects(expected({ checksum: MD5 }, false), {
      kind: 'InvalidCommandParamsError',
      details: /^Image checksum is not available/,
    })
  })

  it('is fetched where an address stands in its place', async () => {
    await using server = await startImageServer()
    // Once it is only busy.
    server.on('/SUMS', status(503), serve(Buffer.from(`${SHA512}  other.raw\n${SHA256}  debian.raw\n`)))

    const byChecksum = await expected({ checksum: `${server.url}/SUMS` })
    const byHash = await expected({ os_hash_algo: 'sha256', os_hash_value: `${server.url}/SUMS` })

    assert.deepEqual(byChecksum, { algorithm: 'sha256', value: SHA256 })
    assert.deepEqual(byHash, { algorithm: 'sha256', value: SHA256 })
  })

  it('that cannot be fetched, or is not in its file, is an error', async () => {
    await using server = await startImageServer()
    server.on('/gone', status(404))
    server.on('/SUMS', serve(Buffer.from(`${SHA256}  other.raw\n${SHA256}  third.raw\n`)))

    await assert.rejects(expected({ checksum: `${server.url}/gone` }), {
      details: `Download of image debian failed: it cannot be verified: its checksum file ${server.url}/gone cannot be fetched: status code 404, expected 200.`,
    })
    await assert.rejects(expected({ checksum: `${server.url}/SUMS` }), {
      details: `Download of image debian failed: it cannot be verified: its checksum file ${server.url}/SUMS does not name it.`,
    })
  })
})

describe('a file of checksums', () => {
  for (const [form, text] of [
    ['a bare value', `${SHA256}\n`],
    ['text lines', `# made today\n${MD5}  other\n${SHA256}  debian.raw\n`],
    ['binary lines', `${SHA256} *debian.raw\r\n`],
    ['BSD lines', `SHA256 (other) = ${SHA512}\nSHA256 (debian.raw) = ${SHA256}\n`],
  ] as const) {
    it(`may hold ${form}`, () => {
      assert.equal(findChecksum(text, 'debian.raw'), SHA256)
    })
  }

  for (const [what, text] of [
    ['nothing', ''],
    ['a web page', '<!DOCTYPE html>\n<html>'],
    ['a name that only ends alike', `${SHA256}  not-debian.raw\n${SHA256}  debian.rawx\n`],
    ['a value of no known length', `${'a'.repeat(40)}  debian.raw\n${'b'.repeat(40)}  x\n`],
  ] as const) {
    it(`with ${what} has none`, () => {
      assert.equal(findChecksum(text, 'debian.raw'), undefined)
    })
  }
})
