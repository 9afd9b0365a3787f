/** Disk images, ramdisks and other files that go with a bundle. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { filesIn, findFiles } from '../../../registry-mirror/bundle.ts'
import { sha256, temporaryFolder, testRegistry } from '../registry.ts'
import { exportFrom, importInto, tagsOf } from './bundles.ts'

describe('files of a bundle', () => {
  it('are put where the importing side says, and not written again when they are there', async (t) => {
    const here = await testRegistry(t)
    const there = await testRegistry(t)
    const from = temporaryFolder(t)
    mkdirSync(join(from, 'ramdisk'))
    writeFileSync(join(from, 'ramdisk', 'kernel'), 'kernel')
    writeFileSync(join(from, 'ramdisk', '.cache'), 'is left out')
    writeFileSync(join(from, 'disk.qcow2'), 'disk')
    const to = join(temporaryFolder(t), 'files')

    const { path, index } = await exportFrom(t, here, {
      images: [],
      paths: [join(from, 'ramdisk'), `debian.qcow2=${join(from, 'disk.qcow2')}`],
    })
    const first = await importInto(there, path, { files_folder: to })
    const second = await importInto(there, path, { files_folder: to })

    assert.deepEqual(index.files, [
      { name: 'ramdisk/kernel', digest: sha256('kernel'), size_bytes: 6 },
      { name: 'debian.qcow2', digest: sha256('disk'), size_bytes: 4 },
    ])
    assert.deepEqual(
      [first.files, second.files],
      [
        { taken: 2, there: 0 },
        { taken: 0, there: 2 },
      ],
    )
    assert.deepEqual(readdirSync(to, { recursive: true }).sort(), ['debian.qcow2', 'ramdisk', 'ramdisk/kernel'])
    assert.equal(readFileSync(join(to, 'debian.qcow2'), 'utf8'), 'disk')
  })

  it('take the place of older ones', async (t) => {
    const here = await testRegistry(t)
    const from = temporaryFolder(t)
    const to = temporaryFolder(t)
    writeFileSync(join(from, 'kernel'), 'new')
    writeFileSync(join(to, 'kernel'), 'old')

    const { path } = await exportFrom(t, here, { images: [], paths: [join(from, 'kernel')] })
    await importInto(here, path, { files_folder: to })

    assert.equal(readFileSync(join(to, 'kernel'), 'utf8'), 'new')
    assert.deepEqual(readdirSync(to), ['kernel'])
  })

  it('are refused without a place, and left when that is asked for', async (t) => {
    const here = await testRegistry(t)
    const from = temporaryFolder(t)
    writeFileSync(join(from, 'kernel'), 'kernel')
    const { path } = await exportFrom(t, here, { images: [], paths: [join(from, 'kernel')] })

    await assert.rejects(importInto(here, path), {
      message:
        'The bundle holds a file (kernel): say where to put them with --files FOLDER, or leave them with --no-files.',
    })
    const { files } = await importInto(here, path, { files_folder: false })

    assert.deepEqual(files, { taken: 0, there: 0 })
  })

  it('do not follow a link out of their place', async (t) => {
    const here = await testRegistry(t)
    const from = temporaryFolder(t)
    const [to, outside] = [temporaryFolder(t), temporaryFolder(t)]
    mkdirSync(join(from, 'ramdisk', 'layers'), { recursive: true })
    writeFileSync(join(from, 'ramdisk', 'layers', 'first'), 'layer')
    symlinkSync(outside, join(to, 'ramdisk'))
    const { path } = await exportFrom(t, here, { images: [], paths: [join(from, 'ramdisk')] })

    await assert.rejects(importInto(here, path, { files_folder: to }), {
      message: `${join(to, 'ramdisk')} is no folder, and files of the bundle are to go into it. Move it away.`,
    })

    assert.deepEqual(readdirSync(outside), [])
  })

  it('replace a link by a file, and leave alone what it leads to', async (t) => {
    const here = await testRegistry(t)
    const [from, to, outside] = [temporaryFolder(t), temporaryFolder(t), temporaryFolder(t)]
    writeFileSync(join(from, 'kernel'), 'new')
    writeFileSync(join(outside, 'kernel'), 'old')
    symlinkSync(join(outside, 'kernel'), join(to, 'kernel'))
    const { path } = await exportFrom(t, here, { images: [], paths: [join(from, 'kernel')] })

    await importInto(here, path, { files_folder: to })

    assert.equal(readFileSync(join(outside, 'kernel'), 'utf8'), 'old')
    assert.equal(readFileSync(join(to, 'kernel'), 'utf8'), 'new')
  })

  it('are not put there when they are damaged', async (t) => {
    const here = await testRegistry(t)
    const from = temporaryFolder(t)
    writeFileSync(join(from, 'kernel'), 'kernel')
    const { path } = await exportFrom(t, here, { images: [], paths: [join(from, 'kernel')] })
    const bytes = readFileSync(path)
    bytes.write('KERNEL', bytes.lastIndexOf('kernel'))
    writeFileSync(path, bytes)
    const to = temporaryFolder(t)

    await assert.rejects(importInto(here, path, { files_folder: to }), {
      message: `rackstrap/files/kernel in the bundle is damaged: its digest is ${sha256('KERNEL')}, not ${sha256('kernel')}.`,
    })

    assert.deepEqual(readdirSync(to), [])
    assert.deepEqual(await tagsOf(here), {})
  })

  it('are named in plain words, and no two the same', async (t) => {
    const folder = temporaryFolder(t)
    writeFileSync(join(folder, 'a b'), '')
    writeFileSync(join(folder, 'kernel'), '')
    const messageOf = (...given: string[]) => findFiles(given).then(String, (error: Error) => error.message)

    assert.equal(
      await messageOf(join(folder, 'a b')),
      `${join(folder, 'a b')} would be called 'a b' in the bundle: expected letters, digits, '.', '_', '-', '+', '@' and '~', first no '.'. Give it another name by NAME=PATH.`,
    )
    assert.equal(
      await messageOf(join(folder, 'kernel'), `kernel=${join(folder, 'a b')}`),
      "Two files would be called 'kernel' in the bundle. Give one another name by NAME=PATH.",
    )
    assert.match(await messageOf(join(folder, 'none')), /none cannot be read: ENOENT/)
  })

  it('are left out when the other side has them', async (t) => {
    const here = await testRegistry(t)
    const [from, to] = [temporaryFolder(t), temporaryFolder(t)]
    mkdirSync(join(from, 'ramdisk'))
    writeFileSync(join(from, 'ramdisk', 'kernel'), 'kernel')
    const { path } = await exportFrom(t, here, { images: [], paths: [join(from, 'ramdisk')] })
    await importInto(here, path, { files_folder: to })
    writeFileSync(join(from, 'ramdisk', 'layer'), 'new')

    const there = new Set((await filesIn(to)).map(({ name, digest }) => `${name}@${digest}`))
    const known = { tags: new Set<string>(), manifests: new Set<string>(), blobs: new Set<string>(), files: there }
    const { index } = await exportFrom(t, here, { images: [], paths: [join(from, 'ramdisk')], known })

    assert.deepEqual(index.files, [{ name: 'ramdisk/layer', digest: sha256('new'), size_bytes: 3 }])
  })
})
