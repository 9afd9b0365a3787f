/** A mirror that is killed at any instant while it pulls, again and again on the same folder. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { startRegistry } from '../../../registry-mirror/index.ts'
import { askPort, configOf, logTo, sha256, temporaryFolder, testRegistry } from '../registry.ts'
import { faultInjector } from './fault-injector.ts'
import { type Pushed, pushImage, upstreamNamed } from './mirror.ts'

const PROGRAM = join(import.meta.dirname, 'killed-mirror.ts')
const ROUNDS = 30
const IMAGES = 6
const LAYER_BYTES = 4_000_000
const DEADLINE_MS = 20_000
const NAME = 'up.example/org/app'

/** Pulls images, one after the other, until the mirror is gone. Whatever a client has the whole of is right. */
async function client(port: number, images: readonly Pushed[]): Promise<number> {
  let pulled = 0
  try {
    for (;;) {
      const at = randomInt(images.length)
      const { layer, layerDigest, manifest } = images[at] as Pushed
      const tagged = await askPort(port, 'GET', `/v2/${NAME}/manifests/v${at}`)
      assert.equal(tagged.body.toString(), manifest)
      const { status, body } = await askPort(port, 'GET', `/v2/${NAME}/blobs/${layerDigest}`)
      assert.deepEqual([status, body.equals(layer)], [200, true])
      pulled++
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined || code === 'ERR_ASSERTION') throw error
    return pulled
  }
}

async function killOnce(folder: string, url: string, images: readonly Pushed[]): Promise<number> {
  const child = spawn(process.execPath, [PROGRAM, folder, url], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const [line] = (await once(createInterface({ input: child.stdout }), 'line', {
    signal: AbortSignal.timeout(DEADLINE_MS),
  })) as [string]
  const clients = Array.from({ length: 4 }, () => client(Number(line), images))
  setTimeout(() => child.kill('SIGKILL'), randomInt(1, 900))
  const [pulled] = await Promise.all([Promise.all(clients), exited])
  return pulled.reduce((sum, one) => sum + one, 0)
}

function assertSound(folder: string): void {
  const blobs = join(folder, 'blobs/sha256')
  for (const hex of existsSync(blobs) ? readdirSync(blobs) : [])
    assert.equal(sha256(readFileSync(join(blobs, hex))), `sha256:${hex}`)
  const tags = join(folder, 'repositories', NAME, '_tags')
  for (const tag of existsSync(tags) ? readdirSync(tags) : []) {
    const digest = readFileSync(join(tags, tag), 'utf8')
    assert.ok(existsSync(join(blobs, digest.slice('sha256:'.length))), `${tag} points to ${digest}`)
  }
}

describe('a mirror that is killed while it pulls', () => {
  it(`shows nothing wrong in ${ROUNDS} rounds, and goes on where it was`, async (t) => {
    const upstream = await testRegistry(t)
    const images: Pushed[] = []
    for (let at = 0; at < IMAGES; at++)
      images.push(await pushImage(upstream, { name: 'org/app', tag: `v${at}`, size: LAYER_BYTES }))
    const injector = await faultInjector(t, () => upstream.port)
    injector.fault(/blobs/, { bytes_per_s: 8_000_000 })
    const folder = temporaryFolder(t)

    let pulled = 0
    for (let round = 0; round < ROUNDS; round++) {
      pulled += await killOnce(folder, injector.url, images)
      assertSound(folder)
    }

    injector.heal()
    const upstreams = [upstreamNamed('up.example', { url: injector.url })]
    const mirror = await startRegistry({ ...configOf(folder), upstreams }, logTo([]))
    t.after(() => mirror.stop())
    for (const { layer, layerDigest } of images)
      assert.ok((await askPort(mirror.port, 'GET', `/v2/${NAME}/blobs/${layerDigest}`)).body.equals(layer))
    const resumed = injector.asked.filter(({ headers }) => headers.range !== undefined).length
    assert.ok(resumed > 0)
    // What was on its way when the mirror was killed may come twice; no more.
    const ofAll = injector.bodyBytes / (IMAGES * LAYER_BYTES)
    assert.ok(ofAll < 2, `${ofAll} times all`)
    t.diagnostic(
      `${pulled} pulls of whole images, ${resumed} resumed, ${ofAll.toFixed(2)} times all bytes over the line`,
    )
  })
})
