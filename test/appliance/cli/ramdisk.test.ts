/** `rackstrap ramdisk build`: what it says before it builds anything. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'

const WRAPPER = join(import.meta.dirname, '../../../appliance/rackstrap')
const DEADLINE_MS = 30_000

/** @param lay  what lies in the folder that [pxe] ramdisk_layer_path names */
function build(t: TestContext, lay: (path: string) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'ramdisk-build-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'layers')
  lay(path)
  const config = join(folder, 'r.conf')
  writeFileSync(config, `[DEFAULT]\nmy_ip = 127.0.0.1\n[pxe]\nramdisk_layer_path = ${path}\n`)
  const args = ['ramdisk', 'build', '--output', join(folder, 'ramdisk'), '--config', config]
  const { status, stderr } = spawnSync(WRAPPER, args, { encoding: 'utf8', timeout: DEADLINE_MS })
  return { status, stderr, path }
}

describe('[pxe] ramdisk_layer_path', () => {
  it('is refused when it is not there', (t) => {
    const { status, stderr, path } = build(t, () => {})

    assert.equal(status, 1)
    assert.equal(
      stderr,
      `rackstrap: [pxe] ramdisk_layer_path names ${path}, which cannot be read: ENOENT: no such file or directory, scandir '${path}'\n`,
    )
  })

  it('is refused when no layer lies there', (t) => {
    const { status, stderr, path } = build(t, (at) => mkdirSync(join(at, 'acme'), { recursive: true }))

    assert.equal(status, 1)
    assert.equal(
      stderr,
      `rackstrap: [pxe] ramdisk_layer_path names ${path}, which holds no layer: expected a folder with layer.json, or a folder of such folders.\n`,
    )
  })

  it('brings the layers below it', (t) => {
    const { status, stderr, path } = build(t, (at) => {
      mkdirSync(join(at, 'acme'), { recursive: true })
      writeFileSync(join(at, 'acme/layer.json'), '{"package": []}')
    })

    assert.equal(status, 1)
    assert.match(stderr, new RegExp(`${path}/acme/layer\\.json .*"package" in it: it knows packages, `))
  })
})
