/** Images that an image names in its own tree: they are here as well before a machine asks for them. */
import assert from 'node:assert/strict'
import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { boundImages } from '../../../registry-mirror/node-images/bound.ts'
import { BoundImages } from '../../../registry-mirror/node-images/bound-images.ts'
import type { TestRegistry } from '../registry.ts'
import { rig } from '../upstream/mirror.ts'
import { pushBootable } from './images.ts'

const FOLDER = '/usr/lib/bound.d'
const REFERENCE = 'up.example/org/app:v1'

/** By name: a text, or where a link leads; hard ones begin with `=`. */
function layerOf(entries: Readonly<Record<string, string | { link: string }>>): Promise<Buffer> {
  const tar = pack()
  for (const [name, what] of Object.entries(entries)) {
    if (typeof what === 'string') tar.entry({ name }, what)
    else if (what.link.startsWith('=')) tar.entry({ name, type: 'link', linkname: what.link.slice(1) })
    else tar.entry({ name, type: 'symlink', linkname: what.link })
  }
  tar.finalize()
  return buffer(tar)
}

const readerOf = (bytes: Buffer) => async () => ({
  size_bytes: bytes.length,
  read: async (into: Buffer, length: number, position: number) =>
    bytes.copy(into, 0, position, Math.min(position + length, bytes.length)),
  close: async () => {},
})
async function fileOf(t: TestContext, bytes: Buffer): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'bound-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'layer'), bytes)
  return open(join(folder, 'layer'))
}
const boundIn = async (...layers: Buffer[]) =>
  (await boundImages(layers.map(readerOf), { folder: FOLDER, signal: AbortSignal.timeout(10_000) })).sort()

const quadlet = (reference: string) => `[Image]\nImage=${reference}\n`

describe('what an image binds', () => {
  it('is read once, however many machines need it, and again after a failure', async (t) => {
    const bound = new BoundImages()
    const bytes = await layerOf({ 'usr/lib/bound.d/app.image': quadlet('quay.io/a/app:v1') })
    let opened = 0
    const open = async () => {
      opened += 1
      if (opened === 1) throw new Error('The disk is tired.')
      return fileOf(t, bytes)
    }
    const find = (signal?: AbortSignal) =>
      bound.of([{ digest: 'sha256:a', open }], { folder: FOLDER, ...(signal && { signal }) })

    await assert.rejects(find(), { message: 'The disk is tired.' })
    const impatient = find(AbortSignal.abort(new Error('I am gone.')))
    const [one, other] = [find(), find()]

    await assert.rejects(impatient, { message: 'I am gone.' })
    assert.deepEqual(await Promise.all([one, other, find()]), Array(3).fill(['quay.io/a/app:v1']))
    assert.equal(opened, 2)
  })

  it('is found in files, and by links to quadlets, of layers packed in any way', async () => {
    const plain = await layerOf({
      'usr/': '',
      'usr/lib/bound.d/direct.image': quadlet('quay.io/a/direct:v1'),
      './usr/share/containers/systemd/app.container': '[Container]\nImage=quay.io/a/app:v1\n',
      'usr/share/other': 'Image=quay.io/a/other:v1',
    })
    const zipped = gzipSync(
      await layerOf({
        'usr/lib/bound.d/app.container': { link: '../../share/containers/systemd/app.container' },
        'usr/etc/containers/systemd/db.image': quadlet('quay.io/a/db:v1'),
        'usr/lib/bound.d/db.image': { link: '/etc/containers/systemd/db.image' },
      }),
    )
    const zstd = zstdCompressSync(
      await layerOf({
        'usr/share/hard.image': quadlet('quay.io/a/hard:v1'),
        'usr/lib/bound.d/hard.image': { link: '=usr/share/hard.image' },
        'usr/lib/bound.d/nowhere.image': { link: '/nowhere.image' },
        'usr/lib/bound.d/circle.image': { link: 'circle.image' },
      }),
    )

    assert.deepEqual(
      await boundIn(plain, zipped, zstd),
      ['app', 'db', 'direct', 'hard'].map((name) => `quay.io/a/${name}:v1`),
    )
  })

  it('is what the topmost layer leaves of it', async () => {
    const lower = await layerOf({
      'usr/lib/bound.d/a.image': quadlet('quay.io/a/a:v1'),
      'usr/lib/bound.d/b.image': quadlet('quay.io/a/b:v1'),
    })
    const changed = await layerOf({
      'usr/lib/bound.d/.wh.a.image': '',
      'usr/lib/bound.d/b.image': quadlet('quay.io/a/b:v2'),
    })
    const opaque = await layerOf({
      'usr/lib/bound.d/.wh..wh..opq': '',
      'usr/lib/bound.d/c.image': quadlet('quay.io/a/c:v1'),
    })

    assert.deepEqual(await boundIn(lower, changed), ['quay.io/a/b:v2'])
    assert.deepEqual(await boundIn(lower, opaque), ['quay.io/a/c:v1'])
  })

  it('is refused in words when a layer is none, or holds too much', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 101 }, (_, at) => [`usr/lib/bound.d/${at}.image`, quadlet(`quay.io/a/${at}:v1`)]),
    )
    const cut = gzipSync(await layerOf({ 'usr/lib/bound.d/a.image': quadlet('quay.io/a/a:v1') })).subarray(0, -20)

    await assert.rejects(boundIn(await layerOf(many)), {
      message: 'It names 101 further images: at most 100 are had.',
    })
    await assert.rejects(boundIn(cut), { name: 'RegistryError', message: /^A layer of it cannot be read: / })
    await assert.rejects(boundIn(Buffer.alloc(5000, 'x')), { message: /^A layer of it cannot be read: / })
  })

  it('is held with it, so that a machine has it when the upstream is dead', async (t) => {
    const { mirror, upstream, injector } = await rig(t)
    const bound = await pushBootable(upstream, { name: 'org/bound', tag: 'v7' })
    const layer = gzipSync(await layerOf({ 'usr/lib/bound.d/a.image': quadlet('up.example/org/bound:v7') }))
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' }, { layers: [layer] })
    const image = await mirror.images.inspect(REFERENCE, { architecture: 'amd64' })

    await mirror.images.hold(image, { owner: 'node:1', bound_in: FOLDER })
    injector.fault(/./, { refuses: true })

    assert.deepEqual(await statusesOf(mirror, ['manifests/v7', `blobs/${bound.layerDigests[0]}`]), [200, 200])
    // Again, from what is here.
    await mirror.images.hold(image, { owner: 'node:2', bound_in: FOLDER })
  })

  it('is not needed to hold an image whose layers cannot be read, which the log tells', async (t) => {
    const { mirror, upstream } = await rig(t)
    await pushBootable(upstream, { name: 'org/app', tag: 'v1' })
    const image = await mirror.images.inspect(REFERENCE, { architecture: 'amd64' })

    await mirror.images.hold(image, { owner: 'node:1', bound_in: FOLDER })

    assert.ok(mirror.lines.some(({ message }) => message === 'what an image binds cannot be read'))
  })
})

async function statusesOf(mirror: TestRegistry, paths: readonly string[]): Promise<number[]> {
  const statuses: number[] = []
  for (const path of paths) statuses.push((await mirror.ask('GET', `/v2/up.example/org/bound/${path}`)).status)
  return statuses
}
