import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { readLimited } from '../../../appliance/ground/read-limited.ts'

const refusal = () => new Error('more than it may have')

describe('readLimited', () => {
  it('gives all bytes, up to the last one that is allowed', async () => {
    const source = Readable.from([Buffer.from('abc'), Buffer.from('de')])

    const bytes = await readLimited(source, 5, refusal)

    assert.equal(bytes.toString(), 'abcde')
  })

  it('refuses one byte more, and takes nothing more of the source', async () => {
    let asked = 0
    const source = Readable.from(
      (function* () {
        for (;;) {
          asked++
          yield Buffer.alloc(4)
        }
      })(),
      { highWaterMark: 1 },
    )

    await assert.rejects(readLimited(source, 7, refusal), refusal())

    assert.equal(source.destroyed, true)
    assert.ok(asked < 10, `${asked} pieces were taken`)
  })
})
