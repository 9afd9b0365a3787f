/** What an import that failed says of what it took. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Taken } from '../../../registry-mirror/bundle.ts'
import { IMAGE, sha256, type TestRegistry, temporaryFolder, testRegistry } from '../registry.ts'
import { exportFrom, importInto, tagImage, tagsOf } from './bundles.ts'

const GO_ON = 'Once the reason is gone, run the same command again: it goes on, and what is stored is not sent again.'

async function retag(here: TestRegistry, tags: readonly string[], known = 'v00'): Promise<void> {
  const { body } = await here.ask('GET', `/v2/app/manifests/${known}`)
  const query = tags.map((tag) => `tag=${tag}`).join('&')
  const { status } = await here.ask('PUT', `/v2/app/manifests/${sha256(body)}?${query}`, {
    headers: { 'content-type': IMAGE },
    body,
  })
  assert.equal(status, 201)
}

/** A bundle of two images, one under two tags, and of two files. */
async function example(t: TestContext) {
  const here = await testRegistry(t)
  const app = await tagImage(here, 'app', 'v1')
  await retag(here, ['latest'], 'v1')
  const os = await tagImage(here, 'os', 'v1')
  const from = temporaryFolder(t)
  for (const name of ['initrd', 'kernel']) writeFileSync(join(from, name), `content of ${name}`)
  const paths = ['initrd', 'kernel'].map((name) => join(from, name))
  const { path } = await exportFrom(t, here, { images: ['*'], paths })
  return { path, app, os }
}

/** @param wrong  of the same length */
function damaged(t: TestContext, path: string, right: string, wrong: string): string {
  const bytes = readFileSync(path)
  bytes.write(wrong, bytes.lastIndexOf(right))
  const copy = join(temporaryFolder(t), 'damaged.tar')
  writeFileSync(copy, bytes)
  return copy
}

async function failed(there: TestRegistry, path: string, files_folder: string | false): Promise<string> {
  const taken = new Taken()
  await assert.rejects(importInto(there, path, { files_folder, taken }))
  return taken.told
}

describe('an import that fails', () => {
  it('names the files that are in place, and says that no image is', async (t) => {
    const { path } = await example(t)
    const there = await testRegistry(t)
    const to = temporaryFolder(t)

    const told = await failed(there, damaged(t, path, 'content of kernel', 'CONTENT of kernel'), to)

    assert.equal(
      told,
      'Images in place: none. Not in place, and as they were before: app:latest, app:v1, os:v1. ' +
        `Files in place in ${to}: initrd. Not in place: kernel. ` +
        `Of its blobs 3 of 3 are stored, of its manifests 0 of 2. ${GO_ON}`,
    )
    assert.deepEqual([await tagsOf(there), readdirSync(to)], [{}, ['initrd']])
  })

  it('names each tag that is set, and goes on when it is run again', async (t) => {
    const { path, app, os } = await example(t)
    const there = await testRegistry(t)
    const inTheWay = join(there.folder, 'repositories/app/_tags/v1')
    mkdirSync(inTheWay, { recursive: true })

    const told = await failed(there, path, false)
    const before = await there.ask('HEAD', '/v2/app/manifests/latest')
    rmdirSync(inTheWay)
    await there.restart()
    const { blobs, manifests, tags } = await importInto(there, path, { files_folder: false })

    assert.equal(
      told,
      'Images in place: app:latest. Not in place, and as they were before: app:v1, os:v1. ' +
        `Of its blobs 3 of 3 are stored, of its manifests 2 of 2. ${GO_ON}`,
    )
    assert.equal(before.status, 200)
    assert.deepEqual(
      { blobs, manifests, tags },
      { blobs: { taken: 0, there: 3 }, manifests: { taken: 0, there: 2 }, tags: { taken: 2, there: 1 } },
    )
    assert.deepEqual(await tagsOf(there), { 'app:latest': app, 'app:v1': app, 'os:v1': os })
  })

  it('says so when nothing of it came', async (t) => {
    const { path } = await example(t)
    const there = await testRegistry(t)

    const told = await failed(there, damaged(t, path, 'imageLayoutVersion', 'imagelayoutVersion'), false)

    assert.equal(told, 'Nothing of it was taken.')
    assert.deepEqual(await tagsOf(there), {})
  })

  it('says nothing of that when it is no bundle', async (t) => {
    const path = join(temporaryFolder(t), 'none.tar')
    writeFileSync(path, 'none')

    assert.equal(await failed(await testRegistry(t), path, false), '')
  })

  it('counts what would make the sentence too long', async (t) => {
    const here = await testRegistry(t)
    await tagImage(here, 'app', 'v00')
    await retag(
      here,
      Array.from({ length: 22 }, (_, at) => `v${10 + at}`),
    )
    const { path } = await exportFrom(t, here, { images: ['*'] })
    const there = await testRegistry(t)
    mkdirSync(join(there.folder, 'repositories/app/_tags/v00'), { recursive: true })

    const told = await failed(there, path, false)

    assert.match(
      told,
      /^Images in place: none\. Not in place, and as they were before: app:v00, .*, app:v28 and 3 more\. /,
    )
  })
})
