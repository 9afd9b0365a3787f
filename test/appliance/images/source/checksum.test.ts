/** Where the checksum of an image comes from, and what an operator reads when it cannot be used. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checksumFromFile, findChecksums, statedChecksum } from '../../../../appliance/images/source/checksum.ts'

const rules = { node_uuid: 'n', allow_md5: true }
const MD5 = 'a'.repeat(32)
const SHA256 = 'b'.repeat(64)
const SHA512 = 'c'.repeat(128)

describe('image_checksum', () => {
  it('tells its algorithm by its length', () => {
    const algorithms = [MD5, SHA256, SHA512].map((image_checksum) => statedChecksum({ image_checksum }, rules))

    assert.deepEqual(algorithms, [
      { algorithm: 'md5', value: MD5 },
      { algorithm: 'sha256', value: SHA256 },
      { algorithm: 'sha512', value: SHA512 },
    ])
  })

  it('gives way to image_os_hash_algo and image_os_hash_value', () => {
    const info = { image_checksum: MD5, image_os_hash_algo: 'SHA512', image_os_hash_value: SHA512.toUpperCase() }

    assert.deepEqual(statedChecksum(info, rules), { algorithm: 'sha512', value: SHA512 })
  })

  it('is refused when it is no checksum', () => {
    assert.throws(() => statedChecksum({ image_checksum: 'abc' }, rules), {
      name: 'InvalidParameterValue',
      message:
        "instance_info/image_checksum of node n is 'abc': expected 32 (md5), 64 (sha256) or 128 (sha512) hex digits, or an http(s) address of a file of checksums. Set image_os_hash_algo and image_os_hash_value, or image_checksum, of the image as it is upstream.",
    })
    assert.throws(() => statedChecksum({ image_checksum: 'z'.repeat(64) }, rules), /expected 32 \(md5\)/)
    assert.throws(
      () => statedChecksum({ image_os_hash_algo: 'sha512', image_os_hash_value: SHA256 }, rules),
      /image_os_hash_value of node n is 'b+': expected 128 hex digits \(sha512\)/,
    )
  })

  it('is refused when one half of image_os_hash_* is missing', () => {
    for (const info of [{ image_os_hash_algo: 'sha256' }, { image_os_hash_value: SHA256, image_checksum: MD5 }]) {
      assert.throws(() => statedChecksum(info, rules), {
        name: 'MissingParameterValue',
        message:
          'image_source\'s "image_checksum", or "image_os_hash_algo" and "image_os_hash_value" must be provided in instance_info for node n',
      })
    }
  })

  it('is refused when its algorithm is not known', () => {
    assert.throws(() => statedChecksum({ image_os_hash_algo: 'crc32', image_os_hash_value: 'abcd' }, rules), {
      message:
        "instance_info/image_os_hash_algo of node n is 'crc32': expected one of md5, sha1, sha224, sha256, sha384, sha512, sha3-256, sha3-384, sha3-512.",
    })
  })

  it('is refused when its algorithm is only what every object has', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      const stated = () => statedChecksum({ image_os_hash_algo: name, image_os_hash_value: 'abcd' }, rules)

      assert.throws(stated, { name: 'InvalidParameterValue', message: / is '[a-z_]+': expected one of md5, sha1, / })
    }
  })

  it('may not be an md5 when [agent] allow_md5_checksum forbids it', () => {
    const strict = { node_uuid: 'n', allow_md5: false }

    assert.throws(() => statedChecksum({ image_checksum: MD5 }, strict), {
      message:
        'The image checksum of node n is an md5, which [agent] allow_md5_checksum = False forbids. Set image_os_hash_algo and image_os_hash_value, or image_checksum, of the image as it is upstream.',
    })
    assert.throws(() => statedChecksum({ image_os_hash_algo: 'md5', image_os_hash_value: MD5 }, strict), /forbids/)
    assert.throws(() => fromFile(MD5, strict), /forbids/)
  })
})

const stated = { algorithm: undefined, url: new URL('http://images.example/SHA256SUMS') }
const listed = (content: string, name: string) =>
  findChecksums(content, name).find(({ algorithm }) => algorithm === 'sha256')?.value
const fromFile = (content: string, by = rules) =>
  checksumFromFile(content, 'http://images.example/a/disk%20one.raw', stated, by)

describe('a file of checksums', () => {
  it('may hold a bare value', () => {
    assert.equal(listed(`# of today\n\n${SHA256.toUpperCase()}\n`, 'disk.raw'), SHA256)
  })

  it('may hold lines as md5sum, sha256sum, BSD and CentOS write them', () => {
    const other = `${'d'.repeat(64)}  other-disk.raw`
    for (const line of [
      `${SHA256}  disk.raw`,
      `${SHA256} *disk.raw`,
      `${SHA256}  ./disk.raw`,
      `SHA256 (disk.raw) = ${SHA256}`,
    ]) {
      assert.equal(listed(`${other}\n# comment\r\n${line}\r\n`, 'disk.raw'), SHA256, line)
    }
  })

  it('names the image by the last part of image_source', () => {
    assert.deepEqual(fromFile(`${SHA512}  disk one.raw\n${SHA256}  two.raw`), { algorithm: 'sha512', value: SHA512 })
  })

  it('may hold several algorithms for one name: the strongest is taken, or the one that was asked for', () => {
    const bsd = `MD5 (disk one.raw) = ${MD5}\nSHA256 (disk one.raw) = ${SHA256}\nSHA512 (disk one.raw) = ${SHA512}\n`
    const plain = `${MD5}  disk one.raw\n${SHA256}  disk one.raw\n${SHA512}  disk one.raw\n`
    const asked = (content: string, algorithm: string) =>
      checksumFromFile(content, 'http://images.example/disk%20one.raw', { ...stated, algorithm }, rules)

    for (const list of [bsd, plain, plain.split('\n').reverse().join('\n')]) {
      assert.deepEqual(fromFile(list), { algorithm: 'sha512', value: SHA512 })
      assert.deepEqual(fromFile(list, { ...rules, allow_md5: false }), { algorithm: 'sha512', value: SHA512 })
      assert.deepEqual(asked(list, 'sha256'), { algorithm: 'sha256', value: SHA256 })
      assert.deepEqual(asked(list, 'md5'), { algorithm: 'md5', value: MD5 })
    }
    assert.throws(() => asked(bsd, 'sha3-256'), /holds no sha3-256 checksum of disk one\.raw/)
    assert.deepEqual(asked(plain, 'sha3-256'), { algorithm: 'sha3-256', value: SHA256 })
  })

  it('is believed when it names the algorithm: as many digits mean others, too', () => {
    const blake = `BLAKE2b (disk one.raw) = ${SHA512}\nSHA3-256 (disk one.raw) = ${'e'.repeat(64)}\n`

    assert.throws(() => fromFile(blake), /holds no md5, sha256 or sha512 checksum/)
    assert.deepEqual(fromFile(`${blake}SHA256 (disk one.raw) = ${SHA256}\n`), { algorithm: 'sha256', value: SHA256 })
  })

  it('that says two things of one image is refused', () => {
    assert.throws(() => fromFile(`${SHA256}  disk one.raw\n${'d'.repeat(64)}  disk one.raw\n`), {
      name: 'ImageUnacceptable',
      message:
        'The checksum file http://images.example/SHA256SUMS holds more than one sha256 checksum of disk one.raw, and they differ. Set image_os_hash_algo and image_os_hash_value, or image_checksum, of the image as it is upstream.',
    })
    assert.deepEqual(fromFile(`${SHA256}  disk one.raw\n${SHA256}  ./disk one.raw\n`).value, SHA256)
  })

  it('that does not name the image is told with the name that was looked for', () => {
    assert.throws(() => fromFile(`${SHA256}  another.raw\n`), {
      name: 'ImageUnacceptable',
      message:
        'The checksum file http://images.example/SHA256SUMS holds no md5, sha256 or sha512 checksum of disk one.raw. Set image_os_hash_algo and image_os_hash_value, or image_checksum, of the image as it is upstream.',
    })
    assert.throws(() => fromFile(''), /holds no/)
    assert.throws(() => fromFile('<html>404</html>'), /holds no/)
  })
})
