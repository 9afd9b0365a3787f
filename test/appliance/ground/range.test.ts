import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isKnown, rangeOf } from '../../../appliance/ground/range.ts'

describe('Range', () => {
  const part = (range: string, ifRange?: string) =>
    rangeOf({ range, ...(ifRange ? { 'if-range': ifRange } : {}) }, { size_bytes: 1000, etag: '"e"' })

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

  it('is read whatever the case of its unit', () => {
    assert.deepEqual(part('Bytes=0-0'), { start: 0, end: 0 })
  })

  it('of nothing is the whole of it, which is nothing', () => {
    assert.equal(rangeOf({ range: 'bytes=-5' }, { size_bytes: 0, etag: '"e"' }), undefined)
    assert.equal(rangeOf({ range: 'bytes=0-' }, { size_bytes: 0, etag: '"e"' }), 'unsatisfiable')
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
  const knows = (header: string) => isKnown({ 'if-none-match': header }, '"e"')

  it('knows the content by its tag', () => {
    assert.deepEqual(
      [knows('"e"'), knows('"d", W/"e"'), knows('*'), knows('"d"'), isKnown({}, '"e"')],
      [true, true, true, false, false],
    )
  })
})
