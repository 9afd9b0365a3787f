/** What is done by itself: the quota is looked after when content came. By a clock that the test turns. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { Maintenance } from '../../../registry-mirror/gc/maintenance.ts'
import { localContent } from '../../../registry-mirror/storage/content.ts'
import { configOf, type LogLine, logTo, someBytes } from '../registry.ts'
import { until } from '../upstream/mirror.ts'
import { addImage, openFolder } from './filled-storage.ts'

const MIB = 1024 * 1024

async function keepingOf(t: TestContext, quota: number) {
  const storage = await openFolder(t)
  const lines: LogLine[] = []
  t.mock.timers.enable({ apis: ['setInterval'] })
  const maintenance = new Maintenance(
    storage,
    { ...configOf(storage.disk.root), quota },
    { content: localContent(storage), log: logTo(lines) },
  )
  t.after(() => maintenance.close())
  const add = (name: string, used: number) =>
    addImage(storage, { name, tag: 'v1', pulled: true, used, layer: someBytes(0.6 * MIB) })
  return { storage, lines, add }
}

describe('the quota', () => {
  it('is looked after within 15 s of what came', async (t) => {
    const { storage, lines, add } = await keepingOf(t, 1)
    const old = await add('up/old', 1)
    await add('up/new', 2)

    t.mock.timers.tick(15_000)
    await until(() => lines.some(({ message }) => message === 'job finished'))

    assert.deepEqual(lines[0]?.manifests_evicted, 1)
    assert.equal(await storage.manifests.byDigest(old.name, old.digest), undefined)
  })
})
