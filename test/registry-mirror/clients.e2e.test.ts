/** Debian's own clients against the registry: skopeo always; podman and buildah where they are installed. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { zstdCompressSync } from 'node:zlib'
import {
  descriptor,
  IMAGE,
  INDEX,
  imageIn,
  type Json,
  pushBlob,
  pushManifest,
  sha256,
  someBytes,
  suiteRegistry,
  temporaryFolder,
} from './registry.ts'

const execute = promisify(execFile)
const DEADLINE_MS = 60_000
const missing = (program: string) => !existsSync(`/usr/bin/${program}`) && `${program} is not installed`

describe('skopeo', { skip: missing('skopeo') }, () => {
  const registry = suiteRegistry()
  const at = (name: string) => `docker://127.0.0.1:${registry.port}/${name}`
  const skopeo = (...args: string[]) => execute('skopeo', args, { timeout: DEADLINE_MS })
  let digest: string
  before(async () => {
    const platforms = []
    for (const architecture of ['amd64', 'arm64']) {
      const config = Buffer.from(
        JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
      )
      await pushBlob(registry, 'app', config)
      const layer = zstdCompressSync(someBytes())
      const layers = [descriptor('application/vnd.oci.image.layer.v1.tar+zstd', layer)]
      await pushBlob(registry, 'app', layer)
      const text = await imageIn(registry, 'app', {
        config: descriptor('application/vnd.oci.image.config.v1+json', config),
        layers,
      })
      await pushManifest(registry, { name: 'app', reference: sha256(text) }, text)
      platforms.push({ ...descriptor(IMAGE, text), platform: { architecture, os: 'linux' } })
    }
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: platforms })
    digest = sha256(index)
    await pushManifest(registry, { name: 'app', reference: 'latest', type: INDEX }, index)
  })

  it('copies all platforms of an image out, and into another repository', async (t) => {
    const layout = `oci:${join(temporaryFolder(t), 'layout')}:latest`

    await skopeo('copy', '--all', '--src-tls-verify=false', at('app:latest'), layout)
    await skopeo('copy', '--all', '--dest-tls-verify=false', layout, at('copies/app:v1'))

    const { headers } = await registry.ask('GET', '/v2/copies/app/manifests/v1')
    assert.equal(headers['docker-content-digest'], digest)
  })

  it('copies from repository to repository', async () => {
    await skopeo('copy', '--all', '--src-tls-verify=false', '--dest-tls-verify=false', at('app:latest'), at('second'))

    assert.equal((await registry.ask('HEAD', '/v2/second/manifests/latest')).headers['docker-content-digest'], digest)
  })

  it('inspects an image and lists its tags', async () => {
    const raw = await skopeo('inspect', '--raw', '--tls-verify=false', at('app:latest'))
    const { stdout } = await skopeo('inspect', '--tls-verify=false', at('app:latest'))
    const tags = await skopeo('list-tags', '--tls-verify=false', at('app'))

    assert.equal(sha256(raw.stdout), digest)
    const image = JSON.parse(stdout) as Json
    assert.deepEqual([image.Digest, image.Architecture], [digest, 'amd64'])
    assert.deepEqual((JSON.parse(tags.stdout) as Json).Tags, ['latest'])
  })

  it('deletes an image', async () => {
    const text = await imageIn(registry, 'doomed')
    await pushManifest(registry, { name: 'doomed', reference: 'latest' }, text)

    await skopeo('delete', '--tls-verify=false', at('doomed:latest'))

    assert.equal((await registry.ask('GET', '/v2/doomed/manifests/latest')).status, 404)
  })
})

describe('buildah and podman', { skip: missing('buildah') || missing('podman') }, () => {
  const registry = suiteRegistry()

  it('push an image that was built and pull it again, its layers compressed by zstd, too', async (t) => {
    const folder = temporaryFolder(t)
    mkdirSync(join(folder, 'storage'))
    const storage = ['--root', join(folder, 'storage'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs']
    const run = async (program: string, ...args: string[]) =>
      (await execute(program, [...storage, ...args], { timeout: DEADLINE_MS, cwd: folder })).stdout.trim()

    for (const format of ['gzip', 'zstd']) {
      const name = `127.0.0.1:${registry.port}/built/${format}:v1`
      // Of other content each time: buildah remembers how a layer was compressed before.
      writeFileSync(join(folder, 'file'), format)
      const container = await run('buildah', 'from', 'scratch')
      await run('buildah', 'copy', container, 'file', '/file')
      await run('buildah', 'commit', '--format', 'oci', container, name)
      await run('buildah', 'push', '--tls-verify=false', '--compression-format', format, name)
      await run('buildah', 'rmi', '--force', '--all')
      await run('podman', 'pull', '--tls-verify=false', name)

      const { json } = await registry.ask('GET', `/v2/built/${format}/manifests/v1`)
      const [layer] = (json?.layers ?? []) as Json[]
      assert.equal(layer?.mediaType, `application/vnd.oci.image.layer.v1.tar+${format}`)
      assert.match(await run('podman', 'images', '--format', '{{.Repository}}:{{.Tag}}'), new RegExp(name))
    }
  })
})
