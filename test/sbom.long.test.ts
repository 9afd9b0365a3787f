/** The software bill of materials that `npm run sbom` writes. Asks the npm registry. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CHECKOUT } from './rack/cache.ts'
import { run } from './rack/run-program.ts'

type Component = { name: string; version: string; purl: string; licenses?: unknown[] }

describe('npm run sbom', () => {
  it('lists what runs on the box, Node among it, and nothing that only tests need', async (test) => {
    const folder = await mkdtemp(join(tmpdir(), 'rackstrap-sbom-'))
    test.after(() => rm(folder, { recursive: true }))
    const file = join(folder, 'sbom.json')

    const said = await run('bash', [join(CHECKOUT, 'test/sbom'), file], { signal: AbortSignal.timeout(120_000) })

    const { bomFormat, components } = JSON.parse(await readFile(file, 'utf8')) as {
      bomFormat: string
      components: Component[]
    }
    assert.equal(bomFormat, 'CycloneDX')
    const names = components.map(({ purl }) => purl.replace(/@[^@]*$/, ''))
    for (const name of ['hono', 'undici', 'lowdb', `node-linux-${process.arch}`]) {
      assert.ok(names.includes(`pkg:npm/${name}`), name)
    }
    assert.ok(!names.some((name) => /typescript|biomejs/.test(name)))
    assert.deepEqual(
      components.filter(({ licenses = [] }) => licenses.length === 0).map(({ name }) => name),
      [],
    )
    // Either the registry told of weaknesses, or the output says that nobody has looked.
    assert.match(said, /known weakness/)
  })
})
