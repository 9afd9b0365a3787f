/**
 * What write_image does when the image, its server or the disk is not as it should be: the operator's sentence, and
 * what is left on the disk.
 */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { before, describe, it } from 'node:test'
import { AgentError } from '../../../../../pxe/ramdisk/agent/errors.ts'
import { writeImage } from '../../../../../pxe/ramdisk/agent/image/write-image.ts'
import { diskImage } from '../disk-images.ts'
import { type FakeMachine, MIB, makeMachine, writeTask } from '../fake-machine.ts'
import { type Behaviour, type ImageServer, serve, sha256, silence, startImageServer, status } from '../image-server.ts'

let image: Buffer
const ETAG = '"one"'

const infoFor = (server: ImageServer, more: Record<string, unknown> = {}) => ({
  id: 'debian',
  urls: [`${server.url}/a.raw`],
  disk_format: 'raw',
  os_hash_algo: 'sha256',
  os_hash_value: sha256(image),
  ...more,
})

async function failureOf(work: Promise<unknown>): Promise<AgentError> {
  try {
    await work
  } catch (error) {
    assert.ok(error instanceof AgentError, String(error))
    return error
  }
  return assert.fail('it succeeded')
}

const OLD = 0xaa
const keepsOldSystem = async (machine: FakeMachine) =>
  (await machine.read('vda', 0, 2 * MIB)).equals(Buffer.alloc(2 * MIB, OLD))
const hasNoTable = async (machine: FakeMachine) => (await machine.read('vda', 0, MIB)).equals(Buffer.alloc(MIB))
const isWritten = async (machine: FakeMachine) =>
  (await machine.read('vda', MIB, 3 * MIB)).equals(image.subarray(MIB, 4 * MIB))

/** A machine with an old system on its disk, and a server that behaves so. */
async function scene(...behaviours: Behaviour[]) {
  const machine = await makeMachine()
  const server = await startImageServer()
  await machine.fill('vda', OLD, [[0, 8 * MIB]])
  server.on('/a.raw', ...behaviours)
  return {
    machine,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await machine[Symbol.asyncDispose]()
    },
  }
}

before(async () => {
  image = await diskImage('gpt')
})

describe('an image server that fails', () => {
  it('is picked up by Range where the connection broke', async () => {
    await using at = await scene(serve(image, { etag: ETAG, cut_after: 3 * MIB }), serve(image, { etag: ETAG }))

    await writeImage(await writeTask(at.machine, infoFor(at.server)))

    assert.ok(await isWritten(at.machine))
    const [first, second] = at.server.requests
    const from = Number(/bytes=(\d+)-$/.exec(second ?? '')?.[1])
    assert.equal(first, 'GET /a.raw')
    assert.ok(from > 0 && from <= 3 * MIB, second)
    assert.match(
      await at.machine.console(),
      /the connection broke after \d+ of \d+ bytes: aborted; going on from there/,
    )
  })

  it('is asked from the beginning when it has no ETag', async () => {
    await using at = await scene(serve(image, { cut_after: 3 * MIB }), serve(image))

    await writeImage(await writeTask(at.machine, infoFor(at.server)))

    assert.ok(await isWritten(at.machine))
    assert.deepEqual(at.server.requests, ['GET /a.raw', 'GET /a.raw'])
  })

  it('is asked from the beginning when the image has changed since', async () => {
    const other = Buffer.alloc(image.length, 7)
    await using at = await scene(
      serve(other, { etag: '"old"', cut_after: 3 * MIB }),
      serve(image, { etag: ETAG }),
      serve(image, { etag: ETAG }),
    )

    await writeImage(await writeTask(at.machine, infoFor(at.server)))

    assert.ok(await isWritten(at.machine))
    assert.match(await at.machine.console(), /cannot be resumed: the image has changed since\. Beginning again\./)
  })

  it('is asked again after a status of 5xx', async () => {
    await using at = await scene(status(503), serve(image))

    await writeImage(await writeTask(at.machine, infoFor(at.server)))

    assert.ok(await isWritten(at.machine))
    assert.match(await at.machine.console(), /status code 503, expected 200; trying again/)
  })

  it('is believed when it answers 4xx: no second attempt, and the disk keeps its old system', async () => {
    await using at = await scene(status(403))

    const error = await failureOf(writeImage(await writeTask(at.machine, infoFor(at.server))))

    assert.equal(error.kind, 'ImageDownloadError')
    assert.equal(
      error.details,
      `Download of image debian failed: ${at.server.url}/a.raw: status code 403, expected 200.`,
    )
    assert.equal(at.server.requests.length, 1)
    assert.ok(await keepsOldSystem(at.machine))
  })

  it('is given up when it says nothing, after the last attempt', async () => {
    await using at = await scene(silence)
    const options = { image_download_connection_timeout_s: 0.1 }

    const error = await failureOf(writeImage(await writeTask(at.machine, infoFor(at.server), { options })))

    assert.equal(error.kind, 'ImageDownloadError')
    assert.match(error.details, /no answer within 0\.1 s\.$/)
    assert.equal(at.server.requests.length, 3)
    assert.ok(await keepsOldSystem(at.machine))
  })

  it('is given up when it hangs in the middle, and nothing of the half image boots', async () => {
    await using at = await scene(serve(image, { etag: ETAG, hang_after: MIB, ranges: false }))
    const options = { image_download_connection_timeout_s: 0.4 }

    const error = await failureOf(writeImage(await writeTask(at.machine, infoFor(at.server), { options })))

    assert.equal(error.kind, 'ImageDownloadError')
    assert.match(error.details, /the image has changed since|nothing came for 0\.4 s/)
    assert.ok(await hasNoTable(at.machine))
    assert.match(await at.machine.console(), /\/dev\/vda has no partition table now/)
  })

  it('is given up when the whole takes longer than ipa-image-download-max-duration', async () => {
    await using at = await scene(serve(image, { hang_after: MIB }))
    const options = { image_download_max_duration_s: 0.6 }

    const error = await failureOf(writeImage(await writeTask(at.machine, infoFor(at.server), { options })))

    assert.equal(error.kind, 'ImageDownloadTimeoutError')
    assert.equal(error.details, 'Download of image debian failed: Download exceeded max allowed time (0.6 seconds)')
    assert.ok(await hasNoTable(at.machine))
  })

  it('is given up when it breaks in the middle and does not come back', async () => {
    await using at = await scene(serve(image, { etag: ETAG, cut_after: 3 * MIB }), status(502))

    const error = await failureOf(writeImage(await writeTask(at.machine, infoFor(at.server))))

    assert.match(error.details, /status code 502, expected 200\.$/)
    assert.equal(at.server.requests.length, 3)
    assert.ok(await hasNoTable(at.machine))
  })

  it('may redirect, but its password does not travel to another server', async () => {
    await using other = await startImageServer()
    await using at = await scene(status(302, { location: `${other.url}/b.raw` }))
    other.on('/b.raw', serve(image))
    const secret = {
      image_server_auth_strategy: 'http_basic',
      image_server_user: 'me',
      image_server_password: 'very secret',
    }

    await writeImage(await writeTask(at.machine, infoFor(at.server, secret)))

    assert.ok(await isWritten(at.machine))
    assert.deepEqual(at.server.authorizations, [`Basic ${Buffer.from('me:very secret').toString('base64')}`])
    assert.deepEqual(other.authorizations, [undefined])
  })

  it('is given up when it redirects in a circle', async () => {
    await using at = await scene(status(302, { location: '/a.raw' }))

    const error = await failureOf(writeImage(await writeTask(at.machine, infoFor(at.server))))

    assert.match(error.details, /it redirects more than 5 times\.$/)
    assert.equal(at.server.requests.length, 6)
  })

  it('has a second address to be replaced by', async () => {
    await using at = await scene(status(404))
    at.server.on('/b.raw', serve(image))
    const urls = [`${at.server.url}/a.raw`, `${at.server.url}/b.raw`]

    await writeImage(await writeTask(at.machine, infoFor(at.server, { urls })))

    assert.ok(await isWritten(at.machine))
  })

  it('has its address told without password and signature', async () => {
    await using at = await scene(status(404))
    const urls = [`${at.server.url.replace('//', '//me:hush@')}/a.raw?sig=hush`]

    const error = await failureOf(writeImage(await writeTask(at.machine, infoFor(at.server, { urls }))))

    assert.match(error.details, /127\.0\.0\.1:\d+\/a\.raw\?\.\.\.: status code 404/)
    assert.doesNotMatch(error.message + (await at.machine.console()), /hush/)
  })
})

describe('an image that is not as told', () => {
  it('with a wrong checksum fails with both values, and nothing of it boots', async () => {
    await using at = await scene(serve(image))
    const wanted = '0'.repeat(64)

    const error = await failureOf(
      writeImage(await writeTask(at.machine, infoFor(at.server, { os_hash_value: wanted }))),
    )

    assert.equal(error.kind, 'ImageChecksumError')
    assert.equal(
      error.details,
      `Image failed to verify against checksum. location: ${at.server.url}/a.raw; image ID: debian; image checksum: ` +
        `${wanted}; verification checksum: ${sha256(image)} (sha256, ${image.length} bytes)`,
    )
    assert.ok(await hasNoTable(at.machine))
    assert.equal(at.server.requests.length, 1)
  })

  it('that is empty leaves the disk as it was', async () => {
    const nothing = Buffer.alloc(0)
    await using at = await scene(serve(nothing))

    const error = await failureOf(
      writeImage(await writeTask(at.machine, infoFor(at.server, { os_hash_value: sha256(nothing) }))),
    )

    assert.equal(error.details, 'Image debian is empty: it has 0 bytes.')
    assert.ok(await keepsOldSystem(at.machine))
  })

  it('that is qcow2 although raw was told leaves the disk as it was', async () => {
    const qcow2 = Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(MIB)])
    await using at = await scene(serve(qcow2))

    const error = await failureOf(
      writeImage(await writeTask(at.machine, infoFor(at.server, { os_hash_value: sha256(qcow2) }))),
    )

    assert.match(error.details, /^Image debian is qcow2, and not raw/)
    assert.ok(await keepsOldSystem(at.machine))
  })

  it('without partitions fails, and is no whole-disk image', async () => {
    const noise = Buffer.alloc(3 * MIB, 5)
    await using at = await scene(serve(noise))

    const error = await failureOf(
      writeImage(await writeTask(at.machine, infoFor(at.server, { os_hash_value: sha256(noise) }))),
    )

    assert.equal(
      error.details,
      'No partitions found on the device /dev/vda after writing the image: image debian holds none. Is it a whole-disk image?',
    )
  })

  it('whose GPT is damaged fails with what is wrong', async () => {
    const damaged = Buffer.from(image)
    damaged[2 * 512 + 40] = (damaged[2 * 512 + 40] ?? 0) ^ 1
    await using at = await scene(serve(damaged))

    const error = await failureOf(
      writeImage(await writeTask(at.machine, infoFor(at.server, { os_hash_value: sha256(damaged) }))),
    )

    assert.match(error.details, /the GPT entries of .*\/dev\/vda are damaged: their checksum is wrong/)
  })

  for (const [what, fields, details] of [
    [
      'a qcow2',
      { disk_format: 'qcow2' },
      'Image debian has disk_format qcow2: this ramdisk writes whole-disk raw images only. Set [DEFAULT] force_raw_images = True, so ' +
        'that it is converted before it is served.',
    ],
    [
      'a partition image',
      { image_type: 'partition' },
      'Image debian is a partition image: this ramdisk writes whole-disk raw images only. Use a whole-disk image.',
    ],
    [
      'an image behind a proxy',
      { proxies: { http: 'http://user:hush@proxy:3128' } },
      'Image debian is to be fetched through a proxy: this ramdisk writes whole-disk raw images only. Set ' +
        'image_download_source = local, so that the conductor fetches it.',
    ],
  ] as const) {
    it(`${what} is refused before anything is fetched`, async () => {
      await using at = await scene(serve(image))

      const error = await failureOf(writeImage(await writeTask(at.machine, infoFor(at.server, fields))))

      assert.equal(error.details, details)
      assert.deepEqual(at.server.requests, [])
    })
  }
})

describe('a disk that is not as needed', () => {
  it('too small for the image keeps its old system', async () => {
    await using machine = await makeMachine({ disks: [{ name: 'vda', size_bytes: 4 * MIB }] })
    await using server = await startImageServer()
    server.on('/a.raw', serve(image))
    await machine.fill('vda', OLD, [[0, 4 * MIB]])

    const error = await failureOf(writeImage(await writeTask(machine, infoFor(server))))

    assert.equal(
      error.details,
      'Writing image to device /dev/vda failed: it is too small: the image needs 6291456 bytes (0.0 GiB), the disk has 4194304 ' +
        '(0.0 GiB). Name a larger disk in properties/root_device.',
    )
    assert.ok(await keepsOldSystem(machine))
  })

  it('too small for an image of unknown length has nothing on it that boots', async () => {
    await using machine = await makeMachine({ disks: [{ name: 'vda', size_bytes: 4 * MIB }] })
    await using server = await startImageServer()
    server.on('/a.raw', serve(image, { chunked: true }))

    const error = await failureOf(writeImage(await writeTask(machine, infoFor(server))))

    assert.match(error.details, /the image is larger than .*\/dev\/vda, which has 4194304 bytes\. Name a larger disk/)
    assert.ok(await hasNoTable(machine))
  })

  it('too small for the partitions of an image that was cut to its data is told as such', async () => {
    await using machine = await makeMachine({ disks: [{ name: 'vda', size_bytes: 4 * MIB }] })
    await using server = await startImageServer()
    const cut = image.subarray(0, 3 * MIB)
    server.on('/a.raw', serve(cut))

    const error = await failureOf(writeImage(await writeTask(machine, infoFor(server, { os_hash_value: sha256(cut) }))))

    assert.match(
      error.details,
      /failed: it is too small: the image's last partition ends at byte 4194304, and the disk has room up to 4177408\./,
    )
    assert.ok(await hasNoTable(machine))
  })

  it('read-only is told as such', async () => {
    await using machine = await makeMachine({ disks: [{ name: 'vda', size_bytes: 8 * MIB, read_only: true }] })
    await using server = await startImageServer()

    const error = await failureOf(writeImage(await writeTask(machine, infoFor(server))))

    assert.equal(
      error.details,
      'Writing image to device /dev/vda failed: it is read-only. Unlock it, or name another disk in properties/root_device.',
    )
  })

  it('gone since it was found is told as such', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    server.on('/a.raw', serve(image))
    const task = await writeTask(machine, infoFor(server))
    await rm(machine.disk('vda'))

    const error = await failureOf(writeImage(task))

    assert.match(error.details, /^Writing image to device \/dev\/vda failed: ENOENT: no such file or directory/)
  })
})
