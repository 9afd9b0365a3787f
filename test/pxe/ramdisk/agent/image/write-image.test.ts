/** The step write_image over real sockets onto a sparse file: what stands on the disk afterwards. */
import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { writeImage } from '../../../../../pxe/ramdisk/agent/image/write-image.ts'
import { configDrive, diskImage, readConfigDrive, sfdisk } from '../disk-images.ts'
import { type FakeMachine, GIB, MIB, makeMachine, writeTask } from '../fake-machine.ts'
import { serve, sha256, startImageServer, status, variantOf } from '../image-server.ts'

const SECTOR = 512
const GPT_SECTORS = 34
const DISK_BYTES = 4 * GIB
/** Places of the old operating system's data: beginning, middle of the image, end of the disk. */
const OLD_DATA: [number, number][] = [
  [0, 12 * MIB],
  [DISK_BYTES - 2 * MIB, 2 * MIB],
]

let image: Buffer
let mbrImage: Buffer
const info = (url: string, content: Buffer, more: Record<string, unknown> = {}) => ({
  id: 'debian',
  urls: [url],
  disk_format: 'raw',
  os_hash_algo: 'sha256',
  os_hash_value: sha256(content),
  ...more,
})

/** All of the image but the GPT's own sectors, which move. */
async function assertBody(machine: FakeMachine): Promise<void> {
  const own = GPT_SECTORS * SECTOR
  const found = await machine.read('vda', own, image.length - 2 * own)
  assert.equal(sha256(found), sha256(image.subarray(own, image.length - own)))
}

describe('write_image', () => {
  before(async () => {
    image = await diskImage('gpt')
    mbrImage = await diskImage('dos')
  })

  it('puts the image on the disk, its GPT stretched to the end of the disk', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    server.on('/a.raw', serve(image))

    const written = await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, image)))

    assert.equal(written.message, `image (debian) written to device /dev/vda root_uuid=${written.root_uuid}`)
    await assertBody(machine)
    const table = await sfdisk(machine, 'vda')
    assert.equal(table.complaints, '')
    assert.equal(table.lastlba, DISK_BYTES / SECTOR - GPT_SECTORS)
    assert.equal(table.partitions.length, 2)
    assert.equal((await machine.calls()).at(-1), `blockdev --rereadpt ${machine.disk('vda')}`)
  })

  it('leaves an MBR image as it is, and tells its disk identifier', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    server.on('/a.raw', serve(mbrImage))

    const { root_uuid } = await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, mbrImage)))

    assert.equal(sha256(await machine.read('vda', 0, mbrImage.length)), sha256(mbrImage))
    assert.equal(root_uuid, `0x${mbrImage.readUInt32LE(440).toString(16).padStart(8, '0')}`)
  })

  for (const [which, punchesHoles] of [
    ['can be discarded', true],
    ['cannot be discarded', false],
  ] as const) {
    it(`leaves nothing of the old system where the image has zeros, on a disk that ${which}`, async () => {
      await using machine = await makeMachine({ punchesHoles })
      await using server = await startImageServer()
      server.on('/a.raw', serve(image))
      await machine.fill('vda', 0xaa, OLD_DATA)

      await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, image)))

      await assertBody(machine)
      const end = await machine.read('vda', DISK_BYTES - MIB, MIB - 33 * SECTOR)
      assert.ok(end.equals(Buffer.alloc(end.length)))
      assert.equal((await sfdisk(machine, 'vda')).complaints, '')
    })
  }

  it('leaves nothing of the old system when the server tells no length', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    server.on('/a.raw', serve(image, { chunked: true }))
    await machine.fill('vda', 0xaa, OLD_DATA)

    await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, image)))

    await assertBody(machine)
  })

  it('leaves nothing of the old system behind a length that was told too short', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    const gzip = variantOf('gzip', image)
    // HEAD tells half of what the variant unpacks to.
    const half = serve(image.subarray(0, image.length / 2))
    const whole = serve(image, { gzip: gzip.bytes })
    server.on('/a.raw', (request, response) => (request.method === 'HEAD' ? half : whole)(request, response))
    await machine.fill('vda', 0xaa, OLD_DATA)

    await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, image, { variants: [gzip.info] })))

    await assertBody(machine)
  })

  it('writes only what holds data, and does not write zeros', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    const large = Buffer.concat([image, Buffer.alloc(18 * MIB)])
    server.on('/a.raw', serve(large))

    await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, large)))

    const occupied = (await stat(machine.disk('vda'))).blocks * SECTOR
    assert.ok(occupied < 3 * MIB, `${occupied} bytes are occupied`)
    assert.match(
      await machine.console(),
      /Image written and verified: 24 MiB in [\d.]+ s, 1 MiB of it data, 24 MiB over the network; peak memory \d+ MiB/,
    )
  })

  it('writes an image whose length is no multiple of a sector to its last byte', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    const odd = Buffer.concat([mbrImage, Buffer.from('the end')])
    server.on('/a.raw', serve(odd))
    await machine.fill('vda', 0xaa, OLD_DATA)

    await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, odd)))

    assert.equal(sha256(await machine.read('vda', 0, odd.length)), sha256(odd))
  })
})

describe('a precompressed variant', () => {
  for (const encoding of ['zstd', 'gzip'] as const) {
    it(`is taken as ${encoding} where the appliance offers it, verified by its own digest`, async () => {
      await using machine = await makeMachine()
      await using server = await startImageServer()
      const variant = variantOf(encoding, image)
      server.on('/a.raw', serve(image, { [encoding]: variant.bytes }))
      // The variant's digest vouches: the image's own is not computed.
      const task = info(`${server.url}/a.raw`, image, { os_hash_value: 'f'.repeat(64), variants: [variant.info] })

      await writeImage(await writeTask(machine, { ...task, size_bytes: image.length }))

      await assertBody(machine)
      assert.deepEqual(server.requests, ['GET /a.raw'])
      assert.match(await machine.console(), new RegExp(`over the network \\(${encoding}\\)`))
    })
  }

  it('is picked up where the connection broke', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    const zstd = variantOf('zstd', image)
    const options = { zstd: zstd.bytes, etag: '"zstd"' }
    server.on('/a.raw', serve(image, { ...options, cut_after: 300_000 }), serve(image, options))
    const more = { variants: [zstd.info], size_bytes: image.length }

    await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, image, more)))

    await assertBody(machine)
    assert.match(server.requests[1] ?? '', /^GET \/a\.raw bytes=[1-9]\d*-$/)
    assert.equal(server.requests.length, 2)
  })

  for (const [fault, spoil] of [
    ['whose digest is wrong', (bytes: Buffer) => ({ bytes, value: '0'.repeat(64) })],
    [
      'that cannot be decompressed',
      (bytes: Buffer) => {
        const broken = Buffer.from(bytes)
        broken.fill(0x55, 2000, 4000)
        return { bytes: broken, value: sha256(broken) }
      },
    ],
    [
      'that unpacks to something shorter',
      () => {
        const other = gzipSync(Buffer.alloc(MIB, 1))
        return { bytes: other, value: sha256(other) }
      },
    ],
  ] as const) {
    it(`${fault} is given up for the plain image`, async () => {
      await using machine = await makeMachine()
      await using server = await startImageServer()
      const { bytes, value } = spoil(gzipSync(image))
      server.on('/a.raw', serve(image, { gzip: bytes }))
      const variants = [{ encoding: 'gzip', size_bytes: bytes.length, checksum: { algorithm: 'sha256', value } }]

      await writeImage(
        await writeTask(machine, info(`${server.url}/a.raw`, image, { size_bytes: image.length, variants })),
      )

      await assertBody(machine)
      assert.match(await machine.console(), /Taking the plain image\./)
      assert.deepEqual(server.requests, ['GET /a.raw', 'GET /a.raw'])
    })
  }
})

describe('a config drive', () => {
  before(async () => {
    image ??= await diskImage('gpt')
    mbrImage ??= await diskImage('dos')
  })

  for (const label of ['gpt', 'dos'] as const) {
    it(`becomes the last partition of a disk with a ${label} table, and can be read there`, async () => {
      await using machine = await makeMachine()
      await using server = await startImageServer()
      const content = label === 'gpt' ? image : mbrImage
      server.on('/a.raw', serve(content))
      const { text } = await configDrive('#cloud-config\n')

      await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, content), { configdrive: text }))

      const { partitions, complaints } = await sfdisk(machine, 'vda')
      assert.equal(complaints, '')
      const last = partitions[2]
      assert.equal(last?.start, (DISK_BYTES - 64 * MIB) / SECTOR - (label === 'gpt' ? 2048 : 0))
      assert.equal(last.start + last.size, DISK_BYTES / SECTOR - (label === 'gpt' ? 33 : 0))
      assert.equal(await readConfigDrive(machine, 'vda', last.start * SECTOR), '#cloud-config\n')
    })
  }

  it('replaces the one that the image brings', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    const own = Buffer.from(image)
    ;(await configDrive('old')).iso.copy(own, 3 * MIB)
    server.on('/a.raw', serve(own))
    const { text } = await configDrive('new')

    await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, own), { configdrive: text }))

    assert.equal((await sfdisk(machine, 'vda')).partitions.length, 2)
    assert.equal(await readConfigDrive(machine, 'vda', 3 * MIB), 'new')
  })

  it('is fetched from its address, as base64 or as it is', async () => {
    const { text, iso } = await configDrive('fetched')
    for (const body of [Buffer.from(text), iso]) {
      await using machine = await makeMachine()
      await using server = await startImageServer()
      server.on('/a.raw', serve(image))
      server.on('/drive', status(503), serve(body))
      const configdrive = `${server.url}/drive`

      await writeImage(await writeTask(machine, info(`${server.url}/a.raw`, image), { configdrive }))

      const start = (await sfdisk(machine, 'vda')).partitions[2]?.start ?? 0
      assert.equal(await readConfigDrive(machine, 'vda', start * SECTOR), 'fetched')
    }
  })

  it('that cannot be fetched is told without its signature, before the disk is touched', async () => {
    await using machine = await makeMachine()
    await using server = await startImageServer()
    const configdrive = `${server.url}/gone?sig=hush`

    await assert.rejects(writeImage(await writeTask(machine, info('http://127.0.0.1:1/', image), { configdrive })), {
      kind: 'DeploymentError',
      details: `The config drive cannot be used: it cannot be downloaded from '${server.url}/gone?...': status code 404, expected 200.`,
    })
  })

  it('that unpacks to more than 64 MiB is refused before the disk is touched', async () => {
    await using machine = await makeMachine()
    const bomb = gzipSync(Buffer.alloc(65 * MIB), { level: 1 }).toString('base64')
    await machine.fill('vda', 0xaa, [[0, MIB]])

    await assert.rejects(
      writeImage(await writeTask(machine, info('http://127.0.0.1:1/', image), { configdrive: bomb })),
      {
        kind: 'DeploymentError',
        details: 'The config drive cannot be used: its size exceeds the maximum of 64 MiB.',
      },
    )

    assert.ok((await machine.read('vda', 0, MIB)).equals(Buffer.alloc(MIB, 0xaa)))
  })

  it('without room behind the last partition leaves nothing that boots', async () => {
    const full = await diskImage('dos', 4)
    await using machine = await makeMachine({ disks: [{ name: 'vda', size_bytes: full.length }] })
    await using server = await startImageServer()
    server.on('/a.raw', serve(full))
    const { text } = await configDrive('x')

    await assert.rejects(
      writeImage(await writeTask(machine, info(`${server.url}/a.raw`, full), { configdrive: text })),
      {
        kind: 'DeploymentError',
        details: /^Failed to create config drive on disk .*vda: there is no room behind its last partition/,
      },
    )

    assert.ok((await machine.read('vda', 0, MIB)).equals(Buffer.alloc(MIB)))
  })
})
