/**
 * kill -9 at any instant of an import, again and again, until it has gone through. RACKSTRAP_KILL_ROUNDS=N asks for
 * more rounds.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { startRegistry } from '../../../registry-mirror/index.ts'
import {
  askPort,
  configOf,
  descriptor,
  IMAGE,
  INDEX,
  logTo,
  pushBlob,
  pushManifest,
  sha256,
  temporaryFolder,
  testRegistry,
} from '../registry.ts'
import { exportFrom } from './bundles.ts'

const ROUNDS = Number(process.env.RACKSTRAP_KILL_ROUNDS ?? 30)
const CHILD = join(import.meta.dirname, 'child.ts')
const IMAGES = 12
/** About as long as it takes on an idle box. */
const TAKES_MS = 450

/** Tags of indexes of an image each. @returns the path of a bundle of them, and their digests */
async function exampleBundle(t: TestContext) {
  const registry = await testRegistry(t)
  const tags: Record<string, string> = {}
  await pushBlob(registry, 'app', Buffer.from('{}'))
  for (let at = 0; at < IMAGES; at++) {
    const layer = randomBytes(randomInt(1, 4_000_000))
    await pushBlob(registry, 'app', layer)
    const config = descriptor('application/vnd.oci.empty.v1+json', '{}')
    const layers = [descriptor('application/octet-stream', layer)]
    const text = JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config, layers })
    await pushManifest(registry, { name: 'app', reference: sha256(text) }, text)
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [descriptor(IMAGE, text)] })
    await pushManifest(registry, { name: 'app', reference: `v${at}`, type: INDEX }, index)
    tags[`v${at}`] = sha256(index)
  }
  return { ...(await exportFrom(t, registry, { images: ['*'] })), tags }
}

const startImport = (folder: string, path: string): ChildProcess =>
  spawn(process.execPath, [CHILD, 'import', folder, path], { stdio: ['ignore', 'pipe', 'inherit'] })

/** @returns how many blobs are there, all of them right */
function blobsIn(folder: string): number {
  const blobs = join(folder, 'blobs/sha256')
  const names = existsSync(blobs) ? readdirSync(blobs) : []
  for (const hex of names)
    assert.equal(
      createHash('sha256')
        .update(readFileSync(join(blobs, hex)))
        .digest('hex'),
      hex,
    )
  return names.length
}

type Seen = { tags: string[]; broken: string[] }

/** What a registry on that folder shows: its tags, and manifests that lack something that they refer to. */
async function look(folder: string): Promise<Seen> {
  const { port, stop } = await startRegistry(configOf(folder), logTo([]))
  const ask = (path: string) => askPort(port, 'GET', `/v2/app/${path}`)
  try {
    const tags = ((await ask('tags/list')).json?.tags ?? []) as string[]
    const broken: string[] = []
    const manifests = join(folder, 'repositories/app/_manifests/sha256')
    for (const hex of existsSync(manifests) ? readdirSync(manifests) : []) {
      const { json, status } = await ask(`manifests/sha256:${hex}`)
      if (status !== 200) broken.push(hex)
      for (const { digest } of (json?.layers ?? []) as { digest: string }[])
        if ((await ask(`blobs/${digest}`)).status !== 200) broken.push(digest)
      for (const { digest } of (json?.manifests ?? []) as { digest: string }[])
        if ((await ask(`manifests/${digest}`)).status !== 200) broken.push(digest)
    }
    for (const tag of tags) if ((await ask(`manifests/${tag}`)).status !== 200) broken.push(tag)
    return { tags, broken }
  } finally {
    await stop()
  }
}

describe('kill -9 during an import', () => {
  it('shows nothing that is not whole, and the next try goes on and ends with all of it', async (t) => {
    const { path, index, tags } = await exampleBundle(t)
    let folder = temporaryFolder(t)
    let finished = 0
    let withBlobs = 0
    let withManifests = 0
    for (let round = 0; round < ROUNDS; round++) {
      const child = startImport(folder, path)
      const exited = once(child, 'exit')
      // It tells when it begins: how long it takes until then depends on what else the box does.
      let timer: NodeJS.Timeout | undefined
      child.stdout?.once('data', () => {
        timer = setTimeout(() => child.kill('SIGKILL'), randomInt(TAKES_MS))
      })
      const [code] = (await exited) as [number | null]
      clearTimeout(timer)
      const blobs = blobsIn(folder)
      const seen = await look(folder)

      assert.deepEqual(seen.broken, [])
      if (code === 0) {
        assert.deepEqual(seen.tags.sort(), Object.keys(tags).sort())
        finished++
        folder = temporaryFolder(t)
      } else if (blobs > 0) withBlobs++
      // Content comes before all manifests, all manifests before the first tag.
      if (seen.tags.length > 0) assert.equal(blobs, index.blobs.length + index.manifests.length)
      if (blobs > index.blobs.length && code !== 0) withManifests++
    }
    t.diagnostic(
      `${ROUNDS} rounds, ${withBlobs} killed with content there, ${withManifests} of them among manifests or tags, ${finished} went through`,
    )

    const child = startImport(folder, path)
    child.stdout?.resume()
    assert.deepEqual((await once(child, 'exit'))[0], 0)
    assert.deepEqual((await look(folder)).tags.sort(), Object.keys(tags).sort())
    assert.ok(withBlobs > 0, 'no import was killed while it had taken something')
  })
})
