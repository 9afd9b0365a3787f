/** Archives of the ramdisk, as another program reads them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { compressArchive, type Entry, packCpio } from '../../../pxe/ramdisk/cpio.ts'
import { withFolder } from './folder.ts'

const file = (path: string, text: string, executable = false): Entry => ({
  path,
  kind: 'file',
  content: Buffer.from(text),
  executable,
})
const cpio = (options: string, archive: Buffer, cwd = '/') =>
  execFileSync('cpio', options.split(' '), { input: archive, cwd, encoding: 'utf8', stdio: 'pipe' })

describe('archives of the ramdisk', () => {
  it('name each folder before what is in it, once, and nothing twice', () => {
    const archive = packCpio([file('usr/lib/a', 'A'), file('usr/lib/b', 'B'), file('usr/lib/a', 'other')])

    const names = cpio('-it --quiet', archive)

    assert.equal(names, 'usr\nusr/lib\nusr/lib/a\nusr/lib/b\n')
  })

  it('come out as they went in: contents of any length, rights, links', () =>
    withFolder(async (folder) => {
      const archive = packCpio([
        file('empty', ''),
        file('bin/run', '#!/bin/sh\n', true),
        file('five', '12345'),
        { path: 'bin/link', kind: 'link', target: '../five' },
        { path: 'proc', kind: 'folder' },
      ])

      cpio('-idm --quiet --no-absolute-filenames', archive, folder)

      assert.equal(await readFile(join(folder, 'bin/link'), 'utf8'), '12345')
      assert.equal(await readFile(join(folder, 'empty'), 'utf8'), '')
      assert.equal((await stat(join(folder, 'bin/run'))).mode & 0o777, 0o755)
      assert.equal((await stat(join(folder, 'five'))).mode & 0o777, 0o644)
      assert.ok((await stat(join(folder, 'proc'))).isDirectory())
    }))

  it('hold the console that init needs, for root alone', () => {
    const archive = packCpio([{ path: 'dev/console', kind: 'device', major: 5, minor: 1 }])

    const listing = cpio('-itv --quiet --numeric-uid-gid', archive)

    assert.match(listing, /^crw------- +1 0 +0 +5, +1 .* dev\/console$/m)
  })

  it('concatenate: the kernel reads one behind the other, each a multiple of four bytes', () => {
    const archives = [packCpio([file('a', 'first')]), packCpio([file('bb', 'second')])]

    assert.deepEqual(
      archives.map(({ length }) => length % 4),
      [0, 0],
    )
  })

  it('are the same bytes for the same input, also compressed', async () => {
    const archive = packCpio([file('a', 'A'.repeat(100_000))])

    const [one, other] = [await compressArchive(archive), await compressArchive(archive)]

    assert.deepEqual(one, other)
    assert.deepEqual(zstdDecompressSync(one), archive)
  })
})
