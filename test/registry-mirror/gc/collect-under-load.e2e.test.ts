/**
 * Garbage collection without any grace, again and again, while clients push, mount, delete and pull the same few
 * blobs.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { sha256, type TestRegistry, testRegistry } from '../registry.ts'
import { run } from './asking.ts'
import { LAYERS, lossesOf, manifestOf, pushOne } from './pushing.ts'

const CLIENTS = 4
const IMAGES_EACH = 40
async function client(registry: TestRegistry, id: number): Promise<string[]> {
  const name = `app-${id % 2}`
  for (let count = 0; count < IMAGES_EACH; count++) {
    const layers = LAYERS.filter(() => randomInt(3) === 0)
    const text = manifestOf(layers, name, id * 1000 + count)
    await pushOne(registry, name, layers, text)
    const lost = await lossesOf(registry, name, text, layers)
    if (lost.length > 0) return lost
    await registry.ask('DELETE', `/v2/${name}/manifests/${sha256(text)}`)
  }
  return []
}

describe('garbage collection under load', () => {
  it('never takes what an acknowledged manifest needs, even without any grace', async (t) => {
    const registry = await testRegistry(t)
    let collections = 0
    let removed = 0
    let isOver = false
    const collecting = (async () => {
      while (!isOver) {
        const { blobs_removed } = await run(registry, 'gc', { grace_s: 0 })
        collections++
        removed += Number(blobs_removed)
      }
    })()

    const lost = await Promise.all(Array.from({ length: CLIENTS }, (_, id) => client(registry, id)))
    isOver = true
    await collecting

    assert.deepEqual(lost.flat(), [])
    assert.ok(removed > 0, 'nothing was ever removed')
    t.diagnostic(`${collections} collections removed ${removed} blobs during ${CLIENTS * IMAGES_EACH} pushes`)
  })
})
