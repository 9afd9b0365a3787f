/**
 * Debian's docker-registry as the upstream, behind the fault injector; skopeo, podman and buildah as clients of the
 * mirror.
 */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import {
  askPort,
  descriptor,
  IMAGE,
  INDEX,
  sha256,
  someBytes,
  type TestRegistry,
  temporaryFolder,
  testRegistry,
} from '../registry.ts'
import { type FaultInjector, faultInjector } from './fault-injector.ts'
import { HURRIED, until, upstreamNamed } from './mirror.ts'

const execute = promisify(execFile)
const DEADLINE_MS = 60_000
const missing = (program: string) => !existsSync(`/usr/bin/${program}`) && `${program} is not installed`
const LAYER_BYTES = 20_000_000

type After = { after(act: () => unknown): void }

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** @returns its port */
async function dockerRegistry(t: After): Promise<number> {
  const folder = temporaryFolder(t)
  const port = await freePort()
  const config = join(folder, 'config.yml')
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: join(folder, 'data') } },
      http: { addr: `127.0.0.1:${port}` },
    }),
  )
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
  t.after(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null) await once(child, 'exit')
  })
  await until(() =>
    askPort(port, 'GET', '/v2/').then(
      ({ status }) => status === 200,
      () => false,
    ),
  )
  return port
}

/** As clients push it: POST, then PUT. */
async function push(port: number, name: string, bytes: Buffer): Promise<void> {
  const { headers } = await askPort(port, 'POST', `/v2/${name}/blobs/uploads/`)
  const at = new URL(String(headers.location), `http://127.0.0.1:${port}`)
  at.searchParams.set('digest', sha256(bytes))
  const { status } = await askPort(port, 'PUT', at.pathname + at.search, { body: bytes })
  assert.equal(status, 201)
}

describe('the mirror of a docker-registry', { skip: missing('docker-registry') || missing('skopeo') }, () => {
  const cleanups: (() => unknown)[] = []
  const t: After = { after: (act) => void cleanups.unshift(act) }
  let injector: FaultInjector
  let mirror: TestRegistry
  let digest: string
  let bigLayer: string
  const at = (name: string) => `docker://127.0.0.1:${mirror.port}/up.example/${name}`
  const skopeo = (...args: string[]) => execute('skopeo', args, { timeout: DEADLINE_MS })

  before(async () => {
    const port = await dockerRegistry(t)
    injector = await faultInjector(t, () => port)
    const upstreams = [upstreamNamed('up.example', { url: injector.url, tag_ttl: 0 })]
    mirror = await testRegistry(t, { upstreams }, { patience: { ...HURRIED, answer_ms: 5_000, stale_ms: 2_000 } })
    const platforms = []
    for (const architecture of ['amd64', 'arm64']) {
      const tar = someBytes(architecture === 'amd64' ? LAYER_BYTES : 1_000)
      const layer = gzipSync(tar, { level: 0 })
      if (layer.length > LAYER_BYTES) bigLayer = sha256(layer)
      const config = Buffer.from(
        JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [sha256(tar)] } }),
      )
      for (const blob of [config, layer]) await push(port, 'org/app', blob)
      const text = JSON.stringify({
        schemaVersion: 2,
        mediaType: IMAGE,
        config: descriptor('application/vnd.oci.image.config.v1+json', config),
        layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
      })
      const headers = { 'content-type': IMAGE }
      await askPort(port, 'PUT', `/v2/org/app/manifests/${sha256(text)}`, { headers, body: text })
      platforms.push({ ...descriptor(IMAGE, text), platform: { architecture, os: 'linux' } })
    }
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: platforms })
    digest = sha256(index)
    await askPort(port, 'PUT', '/v2/org/app/manifests/v1', { headers: { 'content-type': INDEX }, body: index })
  })
  after(async () => {
    for (const cleanup of cleanups) await cleanup()
  })

  it('gives skopeo all platforms over a line that is cut, each byte once', async (test) => {
    const layout = `oci:${join(temporaryFolder(test), 'layout')}:v1`
    injector.fault(/blobs/, { cut_after: 7_000_000 }, 2)

    await skopeo('copy', '--all', '--src-tls-verify=false', at('org/app:v1'), layout)

    injector.heal()
    const { stdout } = await skopeo('inspect', '--raw', layout)
    assert.equal(sha256(stdout), digest)
    const blobs = injector.lines().filter((line) => line.startsWith('GET') && line.includes('/blobs/'))
    assert.equal(blobs.length, 4 + 2)
    assert.ok(injector.bodyBytes < LAYER_BYTES * 1.01, `${injector.bodyBytes} bytes`)
  })

  it('gives it all again when the upstream is dead, at once, with a Warning', async (test) => {
    injector.fault(/./, { refuses: true })
    injector.forget()
    const layout = `oci:${join(temporaryFolder(test), 'layout')}:v1`

    await skopeo('copy', '--all', '--src-tls-verify=false', at('org/app:v1'), layout)
    const { headers } = await mirror.ask('HEAD', '/v2/up.example/org/app/manifests/v1')

    assert.equal(injector.bodyBytes, 0)
    assert.match(String(headers.warning), /^299 - "Upstream up\.example cannot be reached/)
    injector.heal()
  })

  it('lists its tags, and refuses to be pushed to', async () => {
    await until(
      async () => (await mirror.ask('HEAD', '/v2/up.example/org/app/manifests/v1')).headers.warning === undefined,
    )

    const { stdout } = await skopeo('list-tags', '--tls-verify=false', at('org/app'))
    const pushed = skopeo(
      'copy',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      at('org/app:v1'),
      at('org/new:v1'),
    )

    assert.deepEqual(JSON.parse(stdout).Tags, ['v1'])
    await assert.rejects(pushed, /is pulled from upstream up\.example/)
  })

  it('sends the first byte of a cold pull within 50 ms of the upstream', async (test) => {
    const fresh = await testRegistry(test, { upstreams: [upstreamNamed('up.example', { url: injector.url })] })
    injector.fault(/blobs/, { bytes_per_s: 40_000_000 })

    const { response, firstAt, lastAt } = await timed(fresh.port, `/v2/up.example/org/app/blobs/${bigLayer}`)

    injector.heal()
    assert.equal(response, 200)
    const delay_ms = firstAt - injector.firstByteAt
    assert.ok(delay_ms < 50, `${delay_ms} ms`)
    assert.ok(lastAt - firstAt > 300, 'it streamed')
  })

  it('is a mirror to podman, buildah and skopeo by their registries.conf', async (test) => {
    const conf = join(temporaryFolder(test), 'registries.conf')
    writeFileSync(
      conf,
      `[[registry]]\nlocation = "up.example"\n[[registry.mirror]]\nlocation = "127.0.0.1:${mirror.port}/up.example"\ninsecure = true\n`,
    )

    const { stdout } = await skopeo('--registries-conf', conf, 'inspect', '--raw', 'docker://up.example/org/app:v1')

    assert.equal(sha256(stdout), digest)
  })
})

async function timed(port: number, path: string): Promise<{ response: number; firstAt: number; lastAt: number }> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`)
  let firstAt = 0
  let lastAt = 0
  for await (const _ of answer.body ?? []) {
    lastAt = performance.now()
    firstAt ||= lastAt
  }
  return { response: answer.status, firstAt, lastAt }
}
