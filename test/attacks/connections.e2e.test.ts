/** Clients that hold on to connections: many, idle, slow to ask, slow to read. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type Box, during, quietest, repeated, sendRaw, startBox } from './box.ts'

const MIB = 1024 * 1024
const BUSY_LIMIT_S = 0.1
/** Each held up to 1 MiB, once. */
const READERS = 600
/** Of the connections of one client, as [api] max_connections_per_host of this box has it. */
const PER_HOST = 300
const AT_ONCE = 25
const CUT_DEADLINE_MS = 10_000

const FILE = Buffer.alloc(16 * MIB, 'a file that many read')
const DIGEST = `sha256:${createHash('sha256').update(FILE).digest('hex')}`

const ends: (() => unknown)[] = []
let box: Box
before(async () => {
  const limits = `max_connections_per_host = ${PER_HOST}\n`
  box = await startBox(
    { after: (end) => ends.unshift(end) },
    `[api]\n${limits}[registry]\nenabled = True\nport = 0\n${limits}`,
  )
  const ramdisk = join(box.state_path, 'ramdisk')
  await mkdir(ramdisk, { recursive: true })
  await writeFile(join(ramdisk, 'large'), FILE)
  const pushed = await fetch(`${box.registry}/v2/org/app/blobs/uploads/?digest=${DIGEST}`, {
    method: 'POST',
    body: FILE,
  })
  assert.equal(pushed.status, 201)
})
after(async () => {
  for (const end of ends) await end()
})

/** Whoever was let in. Each is from another address of the loopback network, so many from each. */
async function connectMany(
  t: TestContext,
  base: string,
  options: { count: number; perAddress: number; words: string },
) {
  const { hostname, port } = new URL(base)
  const sockets: Socket[] = []
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  const open = async (at: number) => {
    const localAddress = `127.0.1.${1 + Math.floor(at / options.perAddress)}`
    const socket = connect({ port: Number(port), host: hostname, localAddress })
    sockets.push(socket)
    socket.on('error', () => {})
    await once(socket, 'connect').catch(() => {})
    socket.write(options.words)
    return socket
  }
  for (let at = 0; at < options.count; at += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, options.count - at) }, (_, more) => open(at + more)))
  return sockets
}

/** Ended, so that the box knows nothing of them any more. */
async function gone(sockets: readonly Socket[]): Promise<void> {
  const open = sockets.filter(({ closed }) => !closed)
  await Promise.all(open.map((socket) => Promise.all([once(socket, 'close'), socket.destroy()])))
}

/** They get the head of an answer, and read no more of it. */
async function stalled(sockets: readonly Socket[]): Promise<number> {
  const heads = await Promise.all(
    sockets.map(async (socket) => {
      const first = await Promise.race([once(socket, 'data'), once(socket, 'close')]).catch(() => [])
      socket.pause()
      return Buffer.isBuffer(first[0]) && first[0].toString('latin1', 9, 12) === '200'
    }),
  )
  return heads.filter(Boolean).length
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`

describe('readers that stop reading', () => {
  for (const { what, base, path } of [
    { what: 'a boot file', base: () => box.http, path: '/boot/files/large' },
    { what: 'a blob', base: () => String(box.registry), path: `/v2/org/app/blobs/${DIGEST}` },
  ]) {
    it(`of ${what}, ${READERS} of them, cost less than 200 MiB, and somebody else reads it whole meanwhile`, async (t) => {
      const attack = async () => {
        const sockets = await connectMany(t, base(), { count: READERS, perAddress: 100, words: get(path) })
        const served = await stalled(sockets)
        const whole = await (await fetch(`${base()}${path}`)).arrayBuffer()
        return { served, whole: whole.byteLength, sockets }
      }
      const seen = await quietest(BUSY_LIMIT_S, async () => {
        const { result, ...more } = await during(box, attack)
        await gone(result.sockets)
        return { ...more, result: { served: result.served, whole: result.whole } }
      })

      t.diagnostic(JSON.stringify(seen))
      assert.ok(seen.result.served === READERS, `${seen.result.served} were served`)
      assert.equal(seen.result.whole, FILE.length)
      assert.ok(seen.grown_mib < 200, `${seen.grown_mib} MiB were taken`)
      assert.ok(seen.busy_s < BUSY_LIMIT_S, `the event loop stood still for ${seen.busy_s} s`)
    })
  }
})

describe('connections that say nothing', () => {
  for (const { what, base, count, section } of [
    { what: 'the API', base: () => box.api, count: 5_000, section: 'api' },
    { what: "the rack's side", base: () => box.http, count: 600, section: 'api' },
    { what: 'the registry', base: () => String(box.registry), count: 600, section: 'registry' },
  ]) {
    it(`to ${what}, ${count} of them from one address, are cut but for ${PER_HOST}, and others are served`, async (t) => {
      const seen = await quietest(BUSY_LIMIT_S, () =>
        during(box, async () => {
          const sockets = await connectMany(t, base(), { count, perAddress: count, words: '' })
          await fetch(`${base()}/`)
          const open = () => sockets.filter(({ destroyed, readyState }) => !destroyed && readyState === 'open').length
          // Those that were cut hear of it when this process comes to read.
          for (
            const deadline = performance.now() + CUT_DEADLINE_MS;
            open() > PER_HOST && performance.now() < deadline;
          )
            await setTimeout(20)
          const left = open()
          await gone(sockets)
          return left
        }),
      )

      t.diagnostic(JSON.stringify(seen))
      assert.ok(seen.result <= PER_HOST, `${seen.result} are open`)
      const { ip, limit } = await box.told('connections refused', (line) =>
        String(line.option).startsWith(`[${section}]`),
      )
      assert.deepEqual({ ip, limit }, { ip: '127.0.1.1', limit: PER_HOST })
      assert.ok(seen.grown_mib < 100, `${seen.grown_mib} MiB were taken`)
      assert.ok(seen.busy_s < BUSY_LIMIT_S, `the event loop stood still for ${seen.busy_s} s`)
    })
  }
})

describe('a connection that carries more than a request', () => {
  const attacks: readonly { what: string; pieces: () => Iterable<Uint8Array | string>; answer: RegExp }[] = [
    {
      what: 'a header of 1 MiB',
      pieces: () => ['GET /v1/nodes HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ', ...repeated('a', MIB), '\r\n\r\n'],
      // It may be cut while it still sends, and then hears nothing.
      answer: /^(HTTP\/1\.1 431 |$)/,
    },
    {
      what: 'a query of 15 KiB',
      pieces: () => [
        `GET /v1/nodes?fields=${'a,'.repeat(7_500)} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-OpenStack-Ironic-API-Version: 1.90\r\nConnection: close\r\n\r\n`,
      ],
      answer: /^HTTP\/1\.1 400 /,
    },
    {
      what: 'a path of 15 KiB of slashes that do not end it',
      pieces: () => [`GET /v1/nodes${'/'.repeat(15_000)}x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`],
      answer: /^HTTP\/1\.1 404 /,
    },
    {
      what: 'trailers without end',
      pieces: function* () {
        yield 'POST /v1/nodes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n'
        yield* repeated('x: y\r\n', 16 * MIB)
      },
      answer: /^HTTP\/1\.1 (4|$)/,
    },
    {
      what: 'extensions of chunks without end',
      pieces: function* () {
        yield 'POST /v1/nodes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2;'
        yield* repeated('a', 16 * MIB)
      },
      answer: /^(HTTP\/1\.1 413 |$)/,
    },
    {
      what: 'a body without end',
      pieces: function* () {
        yield 'POST /v1/nodes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
        for (const _ of Array(1024)) yield* ['10000\r\n', ...repeated(' ', 64 * 1024), '\r\n']
      },
      answer: /^HTTP\/1\.1 413 /,
    },
  ]
  for (const { what, pieces, answer } of attacks) {
    it(`has ${what}: refused, and others are served`, async (t) => {
      const seen = await quietest(BUSY_LIMIT_S, () => during(box, () => sendRaw(box.api, pieces())))

      t.diagnostic(JSON.stringify({ ...seen, result: seen.result.slice(0, 30) }))
      assert.match(seen.result, answer)
      assert.ok(seen.grown_mib < 100, `${seen.grown_mib} MiB were taken`)
      assert.ok(seen.busy_s < BUSY_LIMIT_S, `the event loop stood still for ${seen.busy_s} s`)
    })
  }

  it('pipelines 20,000 requests: cut, for nobody needs that', async (t) => {
    const seen = await during(box, () =>
      sendRaw(box.api, [
        get('/v1/nodes').repeat(20_000),
        'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n',
      ]),
    )

    t.diagnostic(JSON.stringify({ ...seen, result: seen.result.split('HTTP/1.1 200').length - 1 }))
    assert.ok(seen.grown_mib < 200, `${seen.grown_mib} MiB were taken`)
    // Node's parser hands over a piece of 64 KiB, some 1,500 requests, in one go.
    assert.ok(seen.busy_s < 2.5 * BUSY_LIMIT_S, `the event loop stood still for ${seen.busy_s} s`)
    assert.ok(seen.others.answered > 0)
  })
})
