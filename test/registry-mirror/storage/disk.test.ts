/** Writing so that it lasts, and in turn. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Disk } from '../../../registry-mirror/storage/disk/disk.ts'
import { temporaryFolder } from '../registry.ts'

async function diskOf(t: TestContext): Promise<Disk> {
  const disk = await Disk.prepare(temporaryFolder(t))
  await disk.clear()
  return disk
}

describe('a disk', () => {
  it('writes into folders that are not there yet, many at a time', async (t) => {
    const disk = await diskOf(t)
    const paths = Array.from({ length: 20 }, (_, index) => join(disk.root, `a/b${index % 3}/c/${index}`))

    await Promise.all(paths.map((path) => disk.write(path, Buffer.from(path))))

    assert.deepEqual(
      paths.map((path) => readFileSync(path, 'utf8')),
      paths,
    )
  })

  it('leaves nothing behind when a file cannot be put into its place', async (t) => {
    const disk = await diskOf(t)
    writeFileSync(join(disk.root, 'file'), 'old')

    await assert.rejects(disk.write(join(disk.root, 'file/below'), Buffer.from('new')), { code: /ENOTDIR|EEXIST/ })

    assert.equal(readFileSync(join(disk.root, 'file'), 'utf8'), 'old')
    assert.deepEqual(readdirSync(join(disk.root, 'tmp')), [])
  })

  it('says whether what it removed was there', async (t) => {
    const disk = await diskOf(t)
    await disk.mark(join(disk.root, 'a/mark'))

    assert.deepEqual(
      [await disk.remove(join(disk.root, 'a/mark')), await disk.remove(join(disk.root, 'a/mark'))],
      [true, false],
    )
  })
})
