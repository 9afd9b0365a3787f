/** What clients share that read one blob at about the same time, and what becomes of its memory. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { describe, it } from 'node:test'
import type { Chunk } from '@appliance/ground/send-chunks'
import { CACHED_CHUNKS, CHUNK_BYTES, SharedChunks } from '../../../registry-mirror/http/shared-chunks.ts'
import { pushBlob, sha256, testRegistry } from '../registry.ts'

/** A blob in memory that counts how often it is read, and memory that counts what it is asked for. */
function given(size_bytes = CHUNK_BYTES * 100) {
  const counts = { reads: 0, buffers: 0 }
  const spare: Buffer[] = []
  const chunks = new SharedChunks({
    take() {
      const buffer = spare.pop()
      if (buffer === undefined) counts.buffers++
      return buffer ?? Buffer.alloc(CHUNK_BYTES)
    },
    giveBack: (buffer) => spare.push(buffer),
  })
  const blob = {
    identity: 'blob',
    size_bytes,
    async read(buffer: Buffer, length: number, position: number) {
      counts.reads++
      buffer.fill(Math.floor(position / CHUNK_BYTES), 0, length)
      return length
    },
  }
  const take = (index: number) => chunks.take(blob, index * CHUNK_BYTES, size_bytes)
  return { chunks, blob, counts, spare, take }
}
const firstOf = ({ bytes }: Chunk) => [bytes[0], bytes.length]

describe('chunks of a blob', () => {
  it('are read once for all clients that are close to each other', async () => {
    const { chunks, counts, take } = given()
    for (let client = 0; client < 16; client++) chunks.join('blob')

    for (const index of [0, 1, 2]) {
      const parts = await Promise.all(Array.from({ length: 16 }, () => take(index)))
      assert.deepEqual(parts.map(firstOf), Array(16).fill([index, CHUNK_BYTES]))
      for (const part of parts) part.release(true)
    }

    assert.equal(counts.reads, 3)
  })

  it('take one buffer of a client that is alone, and none when it has gone', async () => {
    const { chunks, counts, spare, take } = given()
    chunks.join('blob')

    for (let index = 0; index < 10; index++) (await take(index)).release(true)
    chunks.leave('blob')

    assert.deepEqual([counts.buffers, spare.length], [1, 1])
  })

  it('are as many as clients hold, or a fixed number, whatever the length of the blob', async () => {
    const { chunks, counts, take } = given()
    chunks.join('blob')
    chunks.join('blob')

    for (let index = 0; index < 100; index++) (await take(index)).release(true)
    assert.equal(counts.buffers, CACHED_CHUNKS)
    const held = await Promise.all(Array.from({ length: 50 }, (_, index) => take(index)))

    assert.equal(counts.buffers, 50)
    assert.deepEqual(
      held.map(firstOf),
      Array.from({ length: 50 }, (_, index) => [index, CHUNK_BYTES]),
    )
  })

  it('end where the blob ends, and where a range does', async () => {
    const { chunks, blob } = given(CHUNK_BYTES + 10)

    const lengths = await Promise.all(
      [
        [CHUNK_BYTES, 100],
        [CHUNK_BYTES + 4, 100],
        [CHUNK_BYTES - 3, 100],
        [5, 7],
        [CHUNK_BYTES + 10, 1],
      ].map(async ([position = 0, length = 0]) => (await chunks.take(blob, position, length)).bytes.length),
    )

    assert.deepEqual(lengths, [10, 6, 3, 7, 0])
  })

  it('that could not be read are read again by the next client', async () => {
    const { chunks, blob, counts, spare } = given()
    let isBroken = true
    const read: typeof blob.read = async (...args) => {
      if (isBroken) throw new Error('EIO')
      return blob.read(...args)
    }
    const take = () => chunks.take({ ...blob, read }, 0, 10)

    const failed = await Promise.allSettled([take(), take()])
    isBroken = false
    const part = await take()

    assert.deepEqual(
      failed.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    assert.deepEqual([firstOf(part), counts.reads, spare.length], [[0, 10], 1, 0])
  })

  it('that a connection broke off with are not written over: the system may still read from them', async () => {
    const { chunks, take, spare } = given()
    chunks.join('blob')

    const part = await take(0)
    part.release(false)
    await take(1)

    assert.equal(firstOf(part)[0], 0)
    assert.equal(spare.length, 0)
  })
})

describe('a blob that many clients pull at once', () => {
  it('comes to each as it is, whole or from any place, though some go away', async (t) => {
    const registry = await testRegistry(t)
    const bytes = randomBytes(3 * CHUNK_BYTES + 123)
    const path = `/v2/app/blobs/${await pushBlob(registry, 'app', bytes)}`
    const leave = () =>
      new Promise<void>((resolve) => {
        const asked = request({ host: '127.0.0.1', port: registry.port, path }, (response) =>
          response.once('data', () => asked.destroy()),
        )
        asked
          .once('close', resolve)
          .on('error', () => {})
          .end()
      })

    const pulls = Array.from({ length: 24 }, async (_, client) => {
      if (client % 6 === 5) return leave()
      const start = client % 3 === 0 ? 0 : client * 50_000
      const { status, body } = await registry.ask('GET', path, { headers: { range: `bytes=${start}-` } })
      assert.equal(status, 206)
      assert.equal(sha256(body), sha256(bytes.subarray(start)))
    })

    await Promise.all(pulls)
  })
})
