/** From one registry into another, over a file. */
import assert from 'node:assert/strict'
import { chownSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { parsePlatform, readKnown, takeInventory, withRegistry } from '../../../registry-mirror/bundle.ts'
import {
  configOf,
  descriptor,
  IMAGE,
  INDEX,
  imageIn,
  logTo,
  pushManifest,
  sha256,
  type TestRegistry,
  temporaryFolder,
  testRegistry,
} from '../registry.ts'
import { exportFrom, importInto, MADE, tagImage, tagsOf } from './bundles.ts'

const nothing = { taken: 0, there: 0 }

/** An index of two platforms under tag v1. @returns digests, by architecture */
async function multiPlatform(registry: TestRegistry, name: string): Promise<Record<string, string>> {
  const platforms = []
  const digests: Record<string, string> = {}
  for (const architecture of ['amd64', 'arm64']) {
    const text = await imageIn(registry, name)
    await pushManifest(registry, { name, reference: sha256(text) }, text)
    platforms.push({ ...descriptor(IMAGE, text), platform: { os: 'linux', architecture } })
    digests[architecture] = sha256(text)
  }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: platforms })
  await pushManifest(registry, { name, reference: 'v1', type: INDEX }, index)
  return { ...digests, index: sha256(index) }
}

const has = async (registry: TestRegistry, name: string, digest: string | undefined) =>
  (await registry.ask('HEAD', `/v2/${name}/manifests/${digest}`)).status === 200

describe('a bundle', () => {
  it('carries a tag to another registry', async (t) => {
    const here = await testRegistry(t)
    const digest = await tagImage(here, 'org/app', 'v1')
    const there = await testRegistry(t)

    const { path } = await exportFrom(t, here, { images: ['org/app:v1'] })
    const result = await importInto(there, path)

    const expected = { blobs: { taken: 2, there: 0 }, manifests: { taken: 1, there: 0 }, tags: { taken: 1, there: 0 } }
    assert.deepEqual(result, { ...expected, files: nothing })
    assert.deepEqual(await tagsOf(there), { 'org/app:v1': digest })
  })

  it('is taken into a folder, and made of one, that no registry runs on', async (t) => {
    const here = await testRegistry(t)
    const digest = await tagImage(here, 'org/app', 'v1')
    const folder = { folder: temporaryFolder(t), port: 0 }
    const there = await testRegistry(t)

    await importInto(folder, (await exportFrom(t, here, { images: ['org/app:v1'] })).path)
    await importInto(there, (await exportFrom(t, folder, { images: ['org/app:v1'] })).path)

    assert.deepEqual(await tagsOf(there), { 'org/app:v1': digest })
  })

  it('is not taken into the folder of another user, who could not use it then', {
    skip: process.getuid?.() !== 0 && 'only root can give a folder away',
  }, async (t) => {
    const here = await testRegistry(t)
    await tagImage(here, 'app', 'v1')
    const { path } = await exportFrom(t, here, { images: ['app:v1'] })
    const folder = temporaryFolder(t)
    chownSync(folder, 12345, 12345)

    await assert.rejects(importInto({ folder, port: 0 }, path), {
      message: `${folder} belongs to user 12345, this command runs as user 0: the registry could not use what it would write there. Start the registry first, or run the command as that user.`,
    })

    assert.deepEqual(readdirSync(folder), [])
  })

  it('changes nothing when it is taken a second time', async (t) => {
    const here = await testRegistry(t)
    await tagImage(here, 'app', 'v1')
    const there = await testRegistry(t)
    const { path } = await exportFrom(t, here, { images: ['app:v1'] })
    await importInto(there, path)

    const again = await importInto(there, path)

    const expected = { blobs: { taken: 0, there: 2 }, manifests: { taken: 0, there: 1 }, tags: { taken: 0, there: 1 } }
    assert.deepEqual(again, { ...expected, files: nothing })
  })

  it('carries all platforms of an index, or only those that are asked for', async (t) => {
    const here = await testRegistry(t)
    const digests = await multiPlatform(here, 'app')
    const whole = await testRegistry(t)
    const part = await testRegistry(t)

    await importInto(whole, (await exportFrom(t, here, { images: ['app'] })).path)
    await importInto(
      part,
      (await exportFrom(t, here, { images: ['app'], platforms: [parsePlatform('linux/arm64')] })).path,
    )

    const seen = async (registry: TestRegistry) => [
      (await tagsOf(registry))['app:v1'] === digests.index,
      await has(registry, 'app', digests.amd64),
      await has(registry, 'app', digests.arm64),
    ]
    assert.deepEqual(await seen(whole), [true, true, true])
    assert.deepEqual(await seen(part), [true, false, true])
  })

  it('is refused for a platform that an index does not have', async (t) => {
    const here = await testRegistry(t)
    const { index } = await multiPlatform(here, 'app')

    const made = exportFrom(t, here, { images: ['app'], platforms: [parsePlatform('linux/s390x')] })

    await assert.rejects(made, {
      name: 'BundleError',
      message: `Index ${index} holds nothing for linux/s390x: it has linux/amd64, linux/arm64.`,
    })
  })

  it('carries what refers to an image, by its subject or by a tag as cosign makes them', async (t) => {
    const here = await testRegistry(t)
    const digest = await tagImage(here, 'app', 'v1')
    const subject = { mediaType: IMAGE, digest, size: 1 }
    const signature = await imageIn(here, 'app', { subject, artifactType: 'application/x-signature' })
    await pushManifest(here, { name: 'app', reference: sha256(signature) }, signature)
    const cosign = `${digest.replace(':', '-')}.sig`
    const byTag = await tagImage(here, 'app', cosign)
    const there = await testRegistry(t)
    const without = await testRegistry(t)

    await importInto(there, (await exportFrom(t, here, { images: ['app:v1'] })).path)
    await importInto(without, (await exportFrom(t, here, { images: ['app:v1'], referrers: false })).path)

    const { json } = await there.ask('GET', `/v2/app/referrers/${digest}`)
    assert.deepEqual(
      ((json?.manifests ?? []) as { digest: string }[]).map((one) => one.digest),
      [sha256(signature)],
    )
    assert.deepEqual(await tagsOf(there), { 'app:v1': digest, [`app:${cosign}`]: byTag })
    assert.deepEqual(await tagsOf(without), { 'app:v1': digest })
    assert.equal(await has(without, 'app', sha256(signature)), false)
  })

  it('takes images by patterns, and content that several of them share only once', async (t) => {
    const here = await testRegistry(t)
    const text = await imageIn(here, 'org/one')
    for (const name of ['org/one', 'org/two', 'other']) {
      for (const { digest } of [...JSON.parse(text).layers, JSON.parse(text).config])
        await here.ask('POST', `/v2/${name}/blobs/uploads/?mount=${digest}&from=org/one`)
      for (const tag of ['v1', 'v2', 'latest']) await pushManifest(here, { name, reference: tag }, text)
    }
    const there = await testRegistry(t)

    const { path, index } = await exportFrom(t, here, { images: ['org/*:v*'] })
    await importInto(there, path)

    assert.deepEqual([index.blobs.length, index.manifests.length], [2, 1])
    const digest = sha256(text)
    const expected = { 'org/one:v1': digest, 'org/one:v2': digest, 'org/two:v1': digest, 'org/two:v2': digest }
    assert.deepEqual(await tagsOf(there), expected)
    assert.equal((await there.ask('GET', `/v2/org/two/blobs/${JSON.parse(text).layers[0].digest}`)).status, 200)
  })

  it('is refused when the registry has no such image, or lacks some of it', async (t) => {
    const here = await testRegistry(t)
    const text = await imageIn(here, 'app')
    await pushManifest(here, { name: 'app', reference: 'v1' }, text)
    const [layer] = JSON.parse(text).layers

    const messageOf = (image: string) =>
      exportFrom(t, here, { images: [image] }).then(
        () => 'made',
        (error: Error) => error.message,
      )
    assert.equal(await messageOf('app:v2'), 'Repository app has no image v2.')
    assert.equal(await messageOf('a*:x*'), 'The registry has no image that a*:x* means.')
    assert.equal(
      await messageOf('App:v1'),
      "'App:v1' cannot name an image: expected NAME, NAME:TAG or NAME@DIGEST; * stands for anything.",
    )
    await here.ask('DELETE', `/v2/app/blobs/${layer.digest}`)
    assert.equal(
      await messageOf('app:v1'),
      `Repository app lacks ${layer.digest}, which its manifest ${sha256(text)} refers to. Push or pull it whole first.`,
    )
  })

  it('leaves all tags as they were when its last byte is wrong, and is taken once it is right', async (t) => {
    const here = await testRegistry(t)
    await tagImage(here, 'app', 'v1')
    const there = await testRegistry(t)
    const old = await tagImage(there, 'app', 'v1')
    const { path, index } = await exportFrom(t, here, { images: ['app:v1'] })
    const bytes = readFileSync(path)
    const [manifest] = index.manifests
    const at = bytes.lastIndexOf('"schemaVersion":2')
    const damaged = join(temporaryFolder(t), 'damaged.tar')
    writeFileSync(
      damaged,
      Buffer.concat([bytes.subarray(0, at), Buffer.from('"schemaVersion":3'), bytes.subarray(at + 17)]),
    )

    await assert.rejects(importInto(there, damaged), ({ message }: Error) =>
      message.startsWith(`blobs/sha256/${manifest?.digest.slice(7)} in the bundle is damaged: its digest is sha256:`),
    )
    assert.deepEqual(await tagsOf(there), { 'app:v1': old })
    const { blobs } = await importInto(there, path)

    assert.deepEqual(blobs, { taken: 0, there: 2 })
    assert.deepEqual(await tagsOf(there), { 'app:v1': manifest?.digest })
  })
})

describe('a bundle made since another one, or since an inventory', () => {
  async function twoImages(t: TestContext) {
    const here = await testRegistry(t)
    const one = await tagImage(here, 'app', 'v1')
    const first = await exportFrom(t, here, { images: ['*'] })
    // The second image shares the first one's config.
    const two = await tagImage(here, 'app', 'v2')
    await pushManifest(
      here,
      { name: 'app', reference: 'latest' },
      (await here.ask('GET', '/v2/app/manifests/v1')).body.toString(),
    )
    return { here, one, two, first, there: await testRegistry(t) }
  }

  it('carries only what is new, and is taken on top of the other', async (t) => {
    const { here, one, two, first, there } = await twoImages(t)
    await importInto(there, first.path)

    const known = await readKnown(fileBytes(first.path))
    const second = await exportFrom(t, here, { images: ['*'], known })
    await importInto(there, second.path)

    assert.deepEqual(
      [second.index.blobs.length, second.index.manifests.length, second.index.needs.length],
      // The image that only got another tag comes along with its manifest, and needs its two blobs.
      [1, 2, 2],
    )
    assert.deepEqual(await tagsOf(there), { 'app:latest': one, 'app:v1': one, 'app:v2': two })
  })

  it('carries the same by an inventory of the other side', async (t) => {
    const { here, first, there } = await twoImages(t)
    await importInto(there, first.path)
    const inventory = await withRegistry({ ...configOf(there.folder), port: there.port }, logTo([]), (client) =>
      takeInventory(client, { files: [], now: MADE }),
    )

    const byInventory = await exportFrom(t, here, {
      images: ['*'],
      known: await readKnown(textBytes(JSON.stringify(inventory, undefined, 1))),
    })
    const byBundle = await exportFrom(t, here, { images: ['*'], known: await readKnown(fileBytes(first.path)) })

    assert.deepEqual(byInventory.index, byBundle.index)
  })

  it('is refused, and nothing of it taken, where that other one is missing', async (t) => {
    const { here, first, there } = await twoImages(t)
    const second = await exportFrom(t, here, { images: ['*'], known: await readKnown(fileBytes(first.path)) })

    await assert.rejects(importInto(there, second.path), ({ message }: Error) =>
      message.startsWith('This bundle carries only what was new, and the registry lacks 2 of 2 blobs and manifests'),
    )
    assert.deepEqual(await tagsOf(there), {})
  })

  it('is empty when there is nothing new', async (t) => {
    const { here } = await twoImages(t)
    const all = await exportFrom(t, here, { images: ['*'] })

    const { index } = await exportFrom(t, here, { images: ['*'], known: await readKnown(fileBytes(all.path)) })

    assert.deepEqual([index.images, index.blobs, index.manifests, index.needs], [[], [], [], []])
  })

  it('cannot be made since something else', async () => {
    await assert.rejects(readKnown(textBytes('')), {
      message: 'What --since names is empty: expected an inventory or a bundle.',
    })
    await assert.rejects(readKnown(textBytes('{"format":"x"}')), {
      message: `The inventory's format is "x": expected 'rackstrap-inventory/1'.`,
    })
  })
})

async function* textBytes(text: string) {
  if (text) yield Buffer.from(text)
}
async function* fileBytes(path: string) {
  yield readFileSync(path)
}
