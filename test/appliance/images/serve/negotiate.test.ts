/** Which form of an image a client gets, and which bytes of it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chooseEncoding } from '../../../../appliance/images/serve/negotiate.ts'

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
