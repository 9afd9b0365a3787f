/** A disk that is full, a small tmpfs: pushes are refused whole, and what was acknowledged stays. Needs root. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomInt } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { startRegistry } from '../../registry-mirror/index.ts'
import { askPort, configOf, errorOf, imageIn, logTo, pushManifest, sha256, someBytes } from './registry.ts'

const DISK_BYTES = 8 * 1024 * 1024
const ROUNDS = 200

async function registryOnSmallDisk(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder])
  const running = await startRegistry(configOf(folder), logTo([]))
  t.after(async () => {
    await running.stop()
    execFileSync('umount', [folder])
    rmSync(folder, { recursive: true })
  })
  const ask: typeof askPort extends (port: number, ...rest: infer R) => infer A ? (...rest: R) => A : never = (
    ...rest
  ) => askPort(running.port, ...rest)
  return { port: running.port, folder, lines: [], ask, restart: async () => {} }
}

describe('a full disk', () => {
  it('refuses a blob, keeps nothing of it, and takes the next one that fits', async (t) => {
    const registry = await registryOnSmallDisk(t)
    const push = (bytes: Buffer) =>
      registry.ask('POST', `/v2/app/blobs/uploads/?digest=${sha256(bytes)}`, { body: bytes })
    const acknowledged = someBytes(3_000_000)
    await push(acknowledged)

    const refused = await push(someBytes(DISK_BYTES))
    const fits = await push(someBytes(3_000_000))

    assert.deepEqual(errorOf(refused), [507, 'UNKNOWN', "The registry's disk is full. Nothing was changed."])
    assert.equal(fits.status, 201)
    assert.deepEqual((await registry.ask('GET', `/v2/app/blobs/${sha256(acknowledged)}`)).body, acknowledged)
    assert.deepEqual(readdirSync(join(registry.folder, 'uploads')), [])
  })

  it('lets an upload go on where it was, once there is room', async (t) => {
    const registry = await registryOnSmallDisk(t)
    const bytes = someBytes(5_000_000)
    const location = String((await registry.ask('POST', '/v2/app/blobs/uploads/')).headers.location)
    const ballast = join(registry.folder, 'ballast')
    writeFileSync(ballast, Buffer.alloc(5_000_000))

    const refused = await registry.ask('PATCH', location, { body: bytes })
    rmSync(ballast)
    const { headers } = await registry.ask('GET', location)
    const there = Number(String(headers.range).slice(2)) + 1
    const rest = there === 1 ? 0 : there
    await registry.ask('PATCH', location, { body: bytes.subarray(rest) })
    const ended = await registry.ask('PUT', `${location}?digest=${sha256(bytes)}`)

    assert.deepEqual([refused.status, ended.status], [507, 201])
  })

  it('leaves tags and manifests as they were', async (t) => {
    const registry = await registryOnSmallDisk(t)
    const at = { name: 'app', reference: 'latest' }
    const old = await imageIn(registry, 'app')
    const next = await imageIn(registry, 'app')
    await pushManifest(registry, at, old)
    fill(join(registry.folder, 'ballast'))

    const refused = await pushManifest(registry, at, next)

    assert.equal(refused.status, 507)
    assert.equal((await registry.ask('GET', '/v2/app/manifests/latest')).body.toString(), old)
    assert.equal((await registry.ask('GET', `/v2/app/manifests/${sha256(next)}`)).status, 404)
    assert.deepEqual(damagedIn(registry.folder), [])
  })

  it('at whatever instant it comes loses nothing acknowledged and shows nothing damaged', async (t) => {
    const registry = await registryOnSmallDisk(t)
    const ballast = join(registry.folder, 'ballast')
    const acknowledged: string[] = []
    let refused = 0
    for (let round = 0; round < ROUNDS; round++) {
      rmSync(ballast, { force: true })
      const { bavail, bsize } = statfsSync(registry.folder)
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail - randomInt(0, 9)) * bsize))

      const text = await imageIn(registry, 'app').catch(() => undefined)
      const at = { name: 'app', reference: `v${round}` }
      const pushed = text === undefined ? undefined : await pushManifest(registry, at, text)
      if (text && pushed?.status === 201) acknowledged.push(text)
      else refused++
    }

    assert.deepEqual(damagedIn(registry.folder), [])
    for (const text of acknowledged) {
      const { body } = await registry.ask('GET', `/v2/app/manifests/${sha256(text)}`)
      assert.equal(body.toString(), text)
      const [layer] = (JSON.parse(text) as { layers: { digest: string }[] }).layers
      assert.equal((await registry.ask('GET', `/v2/app/blobs/${layer?.digest}`)).status, 200)
    }
    assert.ok(acknowledged.length > 0 && refused > 0, `${acknowledged.length} acknowledged, ${refused} refused`)
    t.diagnostic(`${acknowledged.length} images acknowledged, ${refused} refused`)
  })
})

/** @returns blobs that are not what they are called */
function damagedIn(folder: string): string[] {
  const blobs = join(folder, 'blobs/sha256')
  return readdirSync(blobs).filter(
    (hex) =>
      createHash('sha256')
        .update(readFileSync(join(blobs, hex)))
        .digest('hex') !== hex,
  )
}

/** To the last byte. */
function fill(path: string): void {
  for (let bytes = 1024 * 1024; bytes >= 4096; )
    try {
      writeFileSync(path, Buffer.alloc(bytes), { flag: 'a' })
    } catch {
      // Less may fit.
      bytes /= 2
    }
}
