/** An export that is interrupted and begun again. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { planBundle, saveBundle, sourceOf, withRegistry } from '../../../registry-mirror/bundle.ts'
import { configOf, logTo, temporaryFolder, testRegistry } from '../registry.ts'
import { exportFrom, MADE, tagImage } from './bundles.ts'

const LATER = new Date('2026-02-03T04:05:06Z')

/** @returns a bundle that is whole, and what a further export does to a partial one */
async function example(t: TestContext) {
  const here = await testRegistry(t)
  for (const tag of ['v1', 'v2', 'v3']) await tagImage(here, 'app', tag)
  const whole = readFileSync((await exportFrom(t, here, { images: ['*'] })).path)
  const folder = temporaryFolder(t)
  const path = join(folder, 'bundle.tar')
  const goOn = (partial: Uint8Array, now = MADE) => {
    writeFileSync(`${path}.partial`, partial)
    return withRegistry({ ...configOf(here.folder), port: here.port }, logTo([]), async (client) => {
      const index = await planBundle(client, { images: ['*'], now })
      const asked: string[] = []
      const from = sourceOf(client)
      const before = await saveBundle(path, index, (entry) => {
        asked.push(entry.kind)
        return from(entry)
      })
      return { before, asked }
    })
  }
  return { whole, folder, path, goOn }
}

describe('an export that was interrupted', () => {
  it('goes on behind the last thing that is whole, and ends in the same bundle', async (t) => {
    const { whole, folder, path, goOn } = await example(t)

    for (const part of [0.6, 0.8, 1]) {
      const { before, asked } = await goOn(whole.subarray(0, Math.floor(whole.length * part)), LATER)

      assert.ok(before > 0 && before % 512 === 0, `it began anew at ${part} of ${whole.length}: ${before}`)
      assert.ok(asked.length < 7, `it read everything again: ${asked}`)
      assert.deepEqual(readFileSync(path), whole)
      assert.deepEqual(readdirSync(folder), ['bundle.tar'])
    }
  })

  it('begins anew when what is there is damaged, of other content, or nothing at all', async (t) => {
    const { whole, path, goOn } = await example(t)
    const damaged = Buffer.from(whole)
    damaged.fill(0, 512, 1024)

    for (const partial of [damaged, Buffer.alloc(5000, 'x'), Buffer.alloc(0), whole.subarray(0, 600)]) {
      const { before } = await goOn(partial)

      assert.equal(before, 0)
      assert.deepEqual(readFileSync(path), whole)
    }
  })

  it('does not keep what is damaged in what is there', async (t) => {
    const { whole, path, goOn } = await example(t)
    const damaged = Buffer.from(whole)
    damaged.write('XX', whole.length - 6000)

    await goOn(damaged)

    assert.deepEqual(readFileSync(path), whole)
  })

  it('leaves no bundle under its name when the registry fails', async (t) => {
    const { path } = await example(t)
    const here = await testRegistry(t)
    await tagImage(here, 'app', 'v1')

    const failed = withRegistry({ ...configOf(here.folder), port: here.port }, logTo([]), async (client) => {
      const index = await planBundle(client, { images: ['*'], now: MADE })
      for (const { digest } of index.blobs) await here.ask('DELETE', `/v2/app/blobs/${digest}`)
      await saveBundle(path, index, sourceOf(client))
    })

    await assert.rejects(
      failed,
      /answers GET \/v2\/app\/blobs\/sha256:[0-9a-f]{64} with 404: Repository app has no blob/,
    )
    assert.equal(existsSync(path), false)
  })
})
