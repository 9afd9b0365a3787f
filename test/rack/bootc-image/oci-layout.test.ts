import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { addLayer, createLayout, isSound, readLayout } from './oci-layout.ts'

const folder = mkdtempSync(join(tmpdir(), 'rackstrap-layout-'))
after(() => rmSync(folder, { recursive: true }))

function tree(name: string, file: string, text: string): string {
  const path = join(folder, name)
  mkdirSync(path)
  writeFileSync(join(path, file), text)
  return path
}

describe('an OCI layout made of folders', () => {
  it('holds a layer for each folder, over those of the layout before; skopeo reads it', async () => {
    const [one, two] = [join(folder, 'one'), join(folder, 'two')]
    await createLayout(one, { Labels: { 'containers.bootc': '1' } })

    await addLayer(one, one, tree('a', 'hello', 'first'))
    const digest = await addLayer(one, two, tree('b', 'hello', 'second'), { version: '2' })

    const [first, second] = [await readLayout(one), await readLayout(two)]
    assert.equal(first.manifest.layers.length, 1)
    assert.deepEqual(second.manifest.layers.slice(0, 1), first.manifest.layers)
    assert.deepEqual(second.config.config.Labels, { 'containers.bootc': '1', version: '2' })
    assert.deepEqual([second.config.rootfs.diff_ids.length, second.config.history.length], [2, 2])
    assert.equal((second.config.history as unknown[]).length, 2)
    assert.equal(await isSound(two), true)
    const seen = JSON.parse(execFileSync('skopeo', ['inspect', `oci:${two}:latest`], { encoding: 'utf8' }))
    assert.deepEqual([seen.Digest, seen.Layers.length], [digest, 2])
    const copy = join(folder, 'copy')
    execFileSync('skopeo', ['copy', '--quiet', `oci:${two}:latest`, `dir:${copy}`])
    const layer = join(copy, String(second.manifest.layers[1]?.digest.slice('sha256:'.length)))
    assert.equal(execFileSync('tar', ['-xzOf', layer, './hello'], { encoding: 'utf8' }), 'second')
  })
})
