/** Other tools read a bundle, as the OCI image layout that it is. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { importArchive, withRegistry } from '../../../registry-mirror/bundle.ts'
import {
  configOf,
  descriptor,
  IMAGE,
  INDEX,
  imageIn,
  type Json,
  logTo,
  pushBlob,
  pushManifest,
  sha256,
  someBytes,
  type TestRegistry,
  temporaryFolder,
  testRegistry,
} from '../registry.ts'
import { exportFrom, tagsOf } from './bundles.ts'

const execute = promisify(execFile)
const DEADLINE_MS = 60_000
const skopeo = (...args: string[]) => execute('skopeo', args, { timeout: DEADLINE_MS })

/** Two platforms under tag v1, as skopeo wants them. @returns the digest of the index */
async function realImage(registry: TestRegistry, name: string): Promise<string> {
  const platforms = []
  for (const architecture of ['amd64', 'arm64']) {
    const layer = gzipSync(someBytes())
    const config = Buffer.from(
      JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, config: {} }),
    )
    for (const blob of [layer, config]) await pushBlob(registry, name, blob)
    const text = await imageIn(registry, name, {
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
    })
    await pushManifest(registry, { name, reference: sha256(text) }, text)
    platforms.push({ ...descriptor(IMAGE, text), platform: { os: 'linux', architecture } })
  }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: platforms })
  await pushManifest(registry, { name, reference: 'v1', type: INDEX }, index)
  return sha256(index)
}

describe('skopeo', { skip: !existsSync('/usr/bin/skopeo') && 'skopeo is not installed' }, () => {
  it('reads an image of a bundle, and copies it with all its platforms into a registry', async (t) => {
    const here = await testRegistry(t)
    const digest = await realImage(here, 'org/app')
    await realImage(here, 'org/other')
    const there = await testRegistry(t)
    const { path } = await exportFrom(t, here, { images: ['org/*'], paths: [join(import.meta.dirname, 'child.ts')] })
    const archive = `oci-archive:${path}:org/app:v1`

    const { stdout } = await skopeo('inspect', archive)
    await skopeo('copy', '--all', '--dest-tls-verify=false', archive, `docker://127.0.0.1:${there.port}/copy:v1`)

    const image = JSON.parse(stdout) as Json
    assert.deepEqual([image.Digest, image.Architecture], [digest, 'amd64'])
    assert.deepEqual(await tagsOf(there), { 'copy:v1': digest })
  })

  it('writes an archive that is taken under the name that it tells, with all its platforms', async (t) => {
    const here = await testRegistry(t)
    const digest = await realImage(here, 'org/app')
    const there = await testRegistry(t)
    const path = join(temporaryFolder(t), 'archive.tar')
    const source = `docker://127.0.0.1:${here.port}/org/app:v1`

    await skopeo('copy', '--all', '--src-tls-verify=false', source, `oci-archive:${path}:quay.io/org/app:v1`)
    await withRegistry({ ...configOf(there.folder), port: there.port }, logTo([]), (client) =>
      importArchive(client, path, { storage_path: there.folder }),
    )

    assert.deepEqual(await tagsOf(there), { 'quay.io/org/app:v1': digest })
  })

  it('reads the only image of a bundle without its name', async (t) => {
    const here = await testRegistry(t)
    const digest = await realImage(here, 'app')
    const { path } = await exportFrom(t, here, { images: ['app:v1'] })
    const layout = join(temporaryFolder(t), 'layout')

    await skopeo('copy', '--all', `oci-archive:${path}`, `oci:${layout}:v1`)

    assert.equal(sha256((await skopeo('inspect', '--raw', `oci:${layout}:v1`)).stdout), digest)
  })
})
