/** Which form of an image a client gets, and which bytes of it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chooseEncoding, isKnown, rangeOf } from '../../../../appliance/images/serve/negotiate.ts'

describe('Accept-Encoding', () => {
  const chosen = (header: string | undefined, offered: ('zstd' | 'gzip')[] = ['zstd', 'gzip']) =>
    chooseEncoding(header, offered).encoding

  it('gets a compressed form only by its name', () => {
    assert.equal(chosen(undefined), 'identity')
    assert.equal(chosen('*'), 'identity')
    assert.equal(chosen('br, deflate'), 'identity')
    assert.equal(chosen('gzip, deflate'), 'gzip')
    assert.equal(chosen('x-gzip'), 'gzip')
    assert.equal(chosen('ZSTD'), 'zstd')
    assert.equal(chosen('gzip, zstd'), 'zstd')
  })

  it('is weighed', () => {
    assert.equal(chosen('zstd;q=0'), 'identity')
    assert.equal(chosen('zstd;q=0.2, gzip;q=0.8'), 'gzip')
    assert.equal(chosen('gzip;q=0.5, identity'), 'identity')
    assert.equal(chosen('zstd;q=nonsense'), 'identity')
    assert.equal(chosen('zstd;q=1', ['gzip']), 'identity')
  })

  it('tells who would take gzip and not zstd', () => {
    const wants = (header: string) => chooseEncoding(header, []).wantsGzip

    assert.deepEqual(
      [wants('gzip, deflate'), wants('gzip, zstd'), wants('*'), wants('gzip;q=0')],
      [true, false, false, false],
    )
  })
})

describe('Range', () => {
  const part = (range: string, ifRange?: string) =>
    rangeOf({ range, ...(ifRange ? { 'if-range': ifRange } : {}) }, 1000, '"e"')

  it('is one range of bytes', () => {
    assert.deepEqual(part('bytes=0-0'), { start: 0, end: 0 })
    assert.deepEqual(part('bytes=10-19'), { start: 10, end: 19 })
    assert.deepEqual(part('bytes=990-'), { start: 990, end: 999 })
    assert.deepEqual(part('bytes=-10'), { start: 990, end: 999 })
    assert.deepEqual(part('bytes=-5000'), { start: 0, end: 999 })
    assert.deepEqual(part('bytes=10-99999'), { start: 10, end: 999 })
  })

  it('beyond the end cannot be satisfied', () => {
    assert.equal(part('bytes=1000-'), 'unsatisfiable')
    assert.equal(part('bytes=-0'), 'unsatisfiable')
  })

  it('is ignored when it is several, or nonsense', () => {
    for (const range of ['bytes=0-1,5-6', 'bytes=-', 'bytes=5-1', 'lines=1-2', 'bytes=a-b']) {
      assert.equal(part(range), undefined, range)
    }
  })

  it('is ignored when If-Range names another content', () => {
    assert.deepEqual(part('bytes=0-0', '"e"'), { start: 0, end: 0 })
    assert.equal(part('bytes=0-0', '"f"'), undefined)
    assert.equal(part('bytes=0-0', 'W/"e"'), undefined)
  })
})

describe('If-None-Match', () => {
  it('knows the content by its tag', () => {
    assert.deepEqual(
      [
        isKnown('"e"', '"e"'),
        isKnown('"d", W/"e"', '"e"'),
        isKnown('*', '"e"'),
        isKnown('"d"', '"e"'),
        isKnown(undefined, '"e"'),
      ],
      [true, true, true, false, false],
    )
  })
})
