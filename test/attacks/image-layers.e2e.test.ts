/** Layers that were made to harm: whoever reads them stands nobody still, and takes what he can use of them. */
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { pushBootable } from '../registry-mirror/node-images/images.ts'
import { type Rig, rig } from '../registry-mirror/upstream/mirror.ts'
import { longestTick } from './longest-tick.ts'

const FOLDER = '/usr/lib/bound.d'
const STALL_LIMIT_MS = 50
const MIB = 1024 * 1024

const quadlet = (name: string) => `[Image]\nImage=up.example/org/${name}:v1\n`

/** As tar-stream would not write it: a header with these fields, and its sum. */
function headerOf({ name, type = '0', size, linkname = '' }: Record<string, string | undefined>): Buffer {
  const header = Buffer.alloc(512)
  header.write(name ?? '', 0, 'latin1')
  header.write('0000644\x000000000\x000000000\x00', 100, 'latin1')
  header.write(size ?? '00000000000\0', 124, 'latin1')
  header.write('00000000000\x00        ', 136, 'latin1')
  header.write(type, 156, 'latin1')
  header.write(linkname, 157, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  const sum = header.reduce((all, byte) => all + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}
const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
const octal = (size: number) => `${size.toString(8).padStart(11, '0')}\0`
const paxOf = (type: 'x' | 'g', records: Buffer) =>
  Buffer.concat([headerOf({ name: 'pax', type, size: octal(records.length) }), padded(records)])
const record = (text: string) => {
  const length = [1, 2, 3, 4, 5, 6, 7]
    .map((digits) => text.length + digits + 2)
    .find((all, at) => `${all}`.length === at + 1)
  return `${length} ${text}\n`
}

const END = Buffer.alloc(1024)
const file = (name: string, text = '') => {
  const content = Buffer.from(text)
  return Buffer.concat([headerOf({ name, size: octal(content.length) }), padded(content)])
}
const many = (count: number, make: (at: number) => Buffer) =>
  gzipSync(Buffer.concat([...Array.from({ length: count }, (_, at) => make(at)), END]))

/** Holds an image of these layers with all that it binds. */
async function hold({ mirror, upstream }: Rig, layers: Buffer[]): Promise<{ longest_ms: number; reason: unknown }> {
  await pushBootable(upstream, { name: 'org/app', tag: 'v1' }, { layers })
  const image = await mirror.images.inspect('up.example/org/app:v1', { architecture: 'amd64' })
  await mirror.images.hold(image, { owner: 'node:1' })
  const from = mirror.lines.length
  const { longest_ms } = await longestTick(() => mirror.images.hold(image, { owner: 'node:1', bound_in: FOLDER }))
  const told = mirror.lines.slice(from).find(({ message }) => message === 'what an image binds cannot be read')
  return { longest_ms, reason: told?.reason }
}

// Made before anything listens: it takes longer than a connection is kept.
const lower = many(5000, (at) => file(`usr/share/${at}.image`, quadlet('none')))
const upper = many(100_000, (at) => file(`usr/gone/.wh.${at}`))
const harmless = many(1, () => file('usr/lib/bound.d/a.image', quadlet('other')))

describe('the layers of an image that a machine is deployed from', () => {
  let all: Rig
  const ends: (() => unknown)[] = []
  before(async () => {
    all = await rig({ after: (end: () => unknown) => ends.push(end) } as unknown as TestContext)
    await pushBootable(all.upstream, { name: 'org/other', tag: 'v1' })
    await hold(all, [harmless])
  })
  after(async () => {
    for (const end of ends.reverse()) await end()
  })

  /** @returns why nothing is bound, if so */
  async function read(...layers: Buffer[]): Promise<unknown> {
    const { longest_ms, reason } = await hold(all, layers)
    assert.ok(longest_ms < STALL_LIMIT_MS, `everything stood still for ${longest_ms} ms`)
    // The next one is read as ever.
    assert.equal((await hold(all, [harmless])).reason, undefined)
    return reason
  }

  it('stand nothing still by 100,000 whiteouts over 5,000 quadlets', async () => {
    assert.equal(await read(lower, upper), undefined)
  })

  it('stand nothing still by more quadlets than are looked at, or by large ones', async () => {
    const text = 'Image='.repeat(MIB / 6)

    assert.equal(
      await read(many(10_000, (at) => file(`usr/share/${at}.image`, quadlet('none')))),
      'It holds more than 5000 quadlets.',
    )
    assert.equal(await read(many(40, (at) => file(`usr/lib/bound.d/${at}.image`, text))), undefined)
  })

  it('stand nothing still by paths without end, or links in a circle', async () => {
    const path = Buffer.from(record(`path=${'a/'.repeat(1_500_000)}b.image`))
    const linkname = (at: number) => `usr/lib/bound.d/${(at + 1) % 2000}.image`
    const link = (at: number) =>
      headerOf({ name: `usr/lib/bound.d/${at}.image`, type: at % 2 ? '1' : '2', linkname: linkname(at) })

    assert.equal(
      await read(many(1, () => Buffer.concat([paxOf('x', path), file('b.image')]))),
      'A layer of it has a path of 3000007 characters: at most 4096 can be had.',
    )
    assert.equal(await read(many(2000, link)), undefined)
  })

  it('stand nothing still by pax headers of very many records', async () => {
    const records = Buffer.from(Array.from({ length: 200_000 }, (_, at) => record(`k${at}=`)).join(''))
    const one = Buffer.concat([paxOf('x', Buffer.from(record('a=b'))), file('usr/a')])
    const layer = Buffer.concat([paxOf('g', records), ...Array(20).fill(one), END])

    assert.equal(
      await read(gzipSync(layer)),
      'A layer of it has an entry with 200001 pax records: at most 1000 are read.',
    )
  })

  it('are no tar when their fields lie', async () => {
    const name = 'usr/lib/bound.d/a.image'
    const lies = {
      large: '77777777777\0',
      'far too large': '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
      negative: '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00',
      'no number': 'zzzzzzzzzzz\0',
    }

    for (const [what, size] of Object.entries(lies)) {
      const reason = await read(Buffer.concat([headerOf({ name, size }), Buffer.alloc(2048)]))
      assert.match(String(reason), /^A layer of it cannot be read: (Unexpected end of data|Invalid header)\.$/, what)
    }
  })

  it('stand nothing still, and fill no memory, by a little that unpacks to a great deal', async () => {
    const bomb = zstdCompressSync(
      Buffer.concat([headerOf({ name: 'usr/zeros', size: octal(512 * MIB) }), Buffer.alloc(512 * MIB + 1024)]),
    )

    assert.ok(bomb.length < MIB / 10)
    assert.equal(await read(bomb), undefined)
  })
})
