/** What memory keeps of the disk: never anything older than the last change. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Cache } from '../../../registry-mirror/storage/cache.ts'

const cacheOf = (limit: number) => new Cache<string>({ limit, weigh: ({ length }) => length })

describe('a cache', () => {
  it('reads once what is asked for again and again, also at the same time', async () => {
    const cache = cacheOf(100)
    let reads = 0
    const load = async () => `read ${++reads}`

    const together = await Promise.all([cache.get('a', load), cache.get('a', load)])
    const later = await cache.get('a', load)

    assert.deepEqual([...together, later], ['read 1', 'read 1', 'read 1'])
  })

  it('keeps no miss and no failure', async () => {
    const cache = cacheOf(100)
    await cache.get('a', async () => undefined)
    await assert.rejects(
      cache.get('a', () => Promise.reject(new Error('disk'))),
      { message: 'disk' },
    )

    assert.equal(await cache.get('a', async () => 'there'), 'there')
  })

  it('does not keep what was being read when it changed', async () => {
    const cache = cacheOf(100)
    const read = Promise.withResolvers<string>()
    const early = cache.get('a', () => read.promise)

    cache.forget('a')
    const late = await cache.get('a', async () => 'new')
    read.resolve('old')

    assert.deepEqual([await early, late, await cache.get('a', async () => 'newer')], ['old', 'new', 'new'])
  })

  it('drops what was used longest ago when it becomes too heavy', async () => {
    const cache = cacheOf(4)
    for (const key of ['aa', 'bb', 'aa', 'cc']) await cache.get(key, async () => key)

    const kept = await Promise.all(['aa', 'cc', 'bb'].map((key) => cache.get(key, async () => 'read again')))

    assert.deepEqual(kept, ['aa', 'cc', 'read again'])
  })
})
