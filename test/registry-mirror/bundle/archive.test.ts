/** OCI archives of other tools, taken in like bundles: content in any order, names told by them or by who imports. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { parseNaming } from '../../../registry-mirror/bundle/archive.ts'
import { importArchive, isBundle, withRegistry } from '../../../registry-mirror/bundle.ts'
import {
  configOf,
  descriptor,
  IMAGE,
  INDEX,
  type Json,
  logTo,
  sha256,
  someBytes,
  temporaryFolder,
  testRegistry,
} from '../registry.ts'
import { exportFrom, type TarEntry, tagImage, tagsOf, writeTar } from './bundles.ts'

const REF_NAME = 'org.opencontainers.image.ref.name'
const blob = (bytes: Buffer | string): TarEntry => ({
  name: `./blobs/sha256/${sha256(bytes).slice(7)}`,
  content: bytes,
})

/** One platform of two, without the other one's content. */
function image() {
  const config = Buffer.from('{"architecture":"amd64","os":"linux"}')
  const layer = someBytes(300_000)
  const layers = [descriptor('application/vnd.oci.image.layer.v1.tar', layer)]
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers,
  })
  const other = { ...descriptor(IMAGE, 'other'), platform: { os: 'linux', architecture: 'arm64' } }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [descriptor(IMAGE, manifest), other] })
  return { config, layer, manifest, index, digest: sha256(index) }
}

const PARTS = image()

async function archiveOf(t: TestContext, entries: readonly TarEntry[], name?: string, more: Json[] = []) {
  const path = join(temporaryFolder(t), 'archive.tar')
  const { index, digest } = PARTS
  const listed = {
    ...descriptor(INDEX, index),
    digest,
    ...(name !== undefined && { annotations: { [REF_NAME]: name } }),
  }
  const json = JSON.stringify({ schemaVersion: 2, manifests: [listed, ...more] })
  await writeTar(path, [...entries, { name: 'index.json', content: json }, { name: 'oci-layout', content: '{}' }])
  return path
}
const WHOLE = [
  { name: './blobs/', type: 'directory' as const },
  ...[PARTS.index, PARTS.layer, PARTS.manifest, PARTS.config].map(blob),
]

async function importInto(t: TestContext, path: string, as?: string) {
  const registry = await testRegistry(t)
  const config = { ...configOf(registry.folder), port: registry.port }
  const given = { storage_path: registry.folder, ...(as !== undefined && { naming: parseNaming(as) }) }
  const imported = () => withRegistry(config, logTo([]), (client) => importArchive(client, path, given))
  return { registry, imported }
}

describe('an OCI archive', () => {
  it('is taken under the name that it tells, the platforms that it has, and again without harm', async (t) => {
    const path = await archiveOf(t, WHOLE, 'quay.io/org/app:v1')
    const { registry, imported } = await importInto(t, path)

    const first = await imported()
    const second = await imported()

    assert.equal(await isBundle(path), false)
    assert.deepEqual(await tagsOf(registry), { 'quay.io/org/app:v1': PARTS.digest })
    const pulled = await registry.ask('GET', `/v2/quay.io/org/app/blobs/${sha256(PARTS.layer)}`)
    assert.ok(pulled.body.equals(PARTS.layer))
    assert.deepEqual(
      [first.blobs, second.blobs],
      [
        { taken: 2, there: 0 },
        { taken: 0, there: 2 },
      ],
    )
    assert.deepEqual(second.tags, { taken: 0, there: 1 })
  })

  it('is called as it is told, where it knows its tag alone or no name', async (t) => {
    for (const [name, as, wanted] of [
      ['v2', 'quay.io/org/app', 'quay.io/org/app:v2'],
      [undefined, 'team/app:v3', 'team/app:v3'],
      ['docker.io/org/app:v1', 'registry.lab:5000/app:v4', 'registry.lab_5000/app:v4'],
    ] as const) {
      const { registry, imported } = await importInto(t, await archiveOf(t, WHOLE, name), as)
      await imported()
      assert.deepEqual(await tagsOf(registry), { [wanted]: PARTS.digest })
    }
  })

  it('is refused in words when it is none, not whole, or nameless, and nothing can be seen of it', async (t) => {
    const [index, , manifest, config] = WHOLE.slice(1)
    const changed = { ...blob(PARTS.layer), content: someBytes(300_000) }
    const told = async (path: string) => {
      const { registry, imported } = await importInto(t, path)
      const message = await imported().then(
        () => 'taken',
        (error: Error) => `${error.name}: ${error.message}`,
      )
      assert.deepEqual(await tagsOf(registry), {})
      return message
    }
    const part = [index, manifest, config].flatMap((one) => one ?? [])
    const layer = sha256(PARTS.layer)
    const empty = join(temporaryFolder(t), 'empty.tar')
    await writeTar(empty, [{ name: 'manifest.json', content: '[]' }])

    assert.equal(
      await told(await archiveOf(t, WHOLE)),
      'BundleError: The archive does not say of which repository its image is: tell by --as REPOSITORY:TAG.',
    )
    assert.equal(
      await told(await archiveOf(t, part, 'quay.io/a:v1')),
      `BundleError: The archive is not whole: ${layer}, which it needs, is missing.`,
    )
    assert.match(
      await told(await archiveOf(t, [...part, changed], 'quay.io/a:v1')),
      new RegExp(`^BundleError: ${layer} in the archive is damaged: its digest is sha256:`),
    )
    assert.match(
      await told(await archiveOf(t, [...WHOLE, blob(PARTS.config)], 'quay.io/a:v1')),
      /^BundleError: The archive holds blobs\/sha256\/[0-9a-f]+ twice\.$/,
    )
    assert.match(await told(empty), /^BundleError: This is no bundle and no OCI archive: it has no index\.json\./)
    assert.match(await told(import.meta.filename), /^BundleError: This is no bundle and no OCI archive: /)
  })

  it('is told from a bundle by how it begins', async (t) => {
    const here = await testRegistry(t)
    await tagImage(here, 'app', 'v1')

    assert.equal(await isBundle((await exportFrom(t, here, { images: ['app:v1'] })).path), true)
    assert.equal(await isBundle(import.meta.filename), false)
  })
})
