/**
 * A power cut after every single operation on the disk of a registry that is pushed to, pulls, holds and collects;
 * what was not synced is lost in some.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { pushBootable } from './node-images/images.ts'
import { hexIn, isBlob, POWER_CUTS, RecordedDisk, tagPath } from './recorded-disk.ts'
import { type TestRegistry, testRegistry } from './registry.ts'
import { upstreamNamed } from './upstream/mirror.ts'

/** From that operation on, these hold. */
type Told = { owner?: string; at: number; blobs: readonly string[]; repository: string; tag?: string; digest: string }
type Asked = { at: number; repository: string; tag: string; digest: string }

const digestsIn = (manifest: string): string[] => {
  const { config, layers } = JSON.parse(manifest) as { config: { digest: string }; layers: { digest: string }[] }
  return [config, ...layers].map(({ digest }) => digest)
}

async function work(registry: TestRegistry, upstream: TestRegistry, disk: RecordedDisk) {
  const told: Told[] = []
  const asked: Asked[] = []
  const push = async (repository: string, tag: string) => {
    const began = disk.length
    const { digest, manifest } = await pushBootable(registry, { name: repository, tag }, { sizes: [3000, 500] })
    asked.push({ at: began, repository, tag, digest })
    told.push({ at: disk.length, blobs: digestsIn(manifest), repository, tag, digest })
  }
  const hold = async (name: string) => {
    const { manifest, digest } = await pushBootable(upstream, { name, tag: 'v1' }, { sizes: [100_000, 300] })
    const image = await registry.images.inspect(`up.example/${name}:v1`, { architecture: 'amd64' })
    const repository = `up.example/${name}`
    asked.push({ at: disk.length, repository, tag: 'v1', digest })
    const owner = `node:${name}`
    await registry.images.hold(image, { owner })
    told.push({ owner, at: disk.length, blobs: digestsIn(manifest), repository, tag: 'v1', digest })
  }
  await Promise.all([push('app', 'v1'), push('app', 'v2'), push('team/other', 'v1')])
  await Promise.all([push('app', 'v1'), hold('org/one'), push('team/third', 'v1')])
  await Promise.all([hold('org/two'), push('team/other', 'v1')])
  return { told, asked }
}

/** @returns what is wrong with what lies there */
function problemsIn(
  files: ReadonlyMap<string, Buffer>,
  n: number,
  { told, asked }: Awaited<ReturnType<typeof work>>,
): string[] {
  const wrong: string[] = []
  for (const [path, bytes] of files)
    if (isBlob(path) && createHash('sha256').update(bytes).digest('hex') !== hexIn(path))
      wrong.push(`${path} is visible and wrong`)
  const has = (repository: string, kind: string, digest: string) =>
    files.has(`repositories/${repository}/${kind}/${digest.replace(':', '/')}`)
  const isThere = (digest: string) => files.has(`blobs/${digest.replace(':', '/')}`)
  const { holds = {} } = JSON.parse(files.get('state.json')?.toString() ?? '{}') as { holds?: Record<string, unknown> }
  for (const { owner, at, repository, blobs, digest, tag = '' } of told) {
    if (at > n) continue
    if (owner !== undefined && holds[owner] === undefined) wrong.push(`${owner} holds nothing`)
    for (const blob of blobs) if (!isThere(blob) || !has(repository, '_blobs', blob)) wrong.push(`blob ${blob} is lost`)
    if (!isThere(digest) || !has(repository, '_manifests', digest)) wrong.push(`manifest ${digest} is lost`)
    const tagged = files.get(tagPath(repository, tag))?.toString()
    const later = asked.filter((one) => one.repository === repository && one.tag === tag && one.at <= n)
    if (tagged !== digest && !later.some((one) => one.digest === tagged))
      wrong.push(`${repository}:${tag} is ${tagged}`)
  }
  for (const { repository, tag, digest } of asked)
    if (
      files.get(tagPath(repository, tag))?.toString() === digest &&
      !(isThere(digest) && has(repository, '_manifests', digest))
    )
      wrong.push(`${repository}:${tag} points to what is not there`)
  return wrong
}

describe('a power cut in the registry', () => {
  it('loses nothing that was acknowledged, and shows nothing that is wrong, after any operation', async (t) => {
    const upstream = await testRegistry(t)
    const upstreams = [upstreamNamed('up.example', { url: `http://127.0.0.1:${upstream.port}` })]
    const registry = await testRegistry(t, { upstreams })
    const disk = await RecordedDisk.listenIn(registry.folder)
    // Folders that were made before are seen as well.
    await registry.restart()
    const story = await work(registry, upstream, disk)

    const wrong = new Set<string>()
    for (const cut of POWER_CUTS)
      for (let n = 0; n <= disk.length; n++)
        for (const problem of problemsIn(disk.after(n, cut), n, story)) wrong.add(`${cut}: ${problem} (after ${n})`)

    assert.deepEqual([...wrong].slice(0, 10), [])
    assert.ok(disk.length > 300, `only ${disk.length} operations`)
    t.diagnostic(`${disk.length} operations, ${POWER_CUTS.length} ways`)
  })
})
