/** Which files of the packages come along with a program. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Entry } from '../../../pxe/ramdisk/cpio.ts'
import { filesBelow, filesOf, librariesOf } from '../../../pxe/ramdisk/libraries.ts'
import { libraryOnPaper } from './elf-on-paper.ts'
import { fill, withFolder } from './folder.ts'

const told = (entries: readonly Entry[]) =>
  entries.map((entry) => (entry.kind === 'link' ? `${entry.path} -> ${entry.target}` : entry.path)).sort()

describe('a folder of the packages', () => {
  it('comes with all its files, and with its links as they are', () =>
    withFolder(async (root) => {
      await fill(root, {
        'usr/share/containers/a.json': 'a',
        'usr/share/containers/deep/b.json': 'b',
        'usr/share/containers/out': '-> /etc/passwd',
        'usr/share/other': 'no',
      })

      const entries = await filesBelow(root, 'usr/share/containers/')

      assert.deepEqual(told(entries), [
        'usr/share/containers/a.json',
        'usr/share/containers/deep/b.json',
        'usr/share/containers/out -> /etc/passwd',
      ])
      await assert.rejects(filesBelow(root, 'usr/share/nothing/'), {
        message: "The folder usr/share/nothing/ is not in Debian's packages: the ramdisk's recipe is out of date.",
      })
    }))
})

describe('libraries of the ramdisk', () => {
  it('are those that the programs need, and those that these need, with the links to them, each once', () =>
    withFolder(async (root) => {
      await fill(root, {
        'usr/lib/x/libstdc++.so.6': '-> libstdc++.so.6.0.33',
        'usr/lib/x/libstdc++.so.6.0.33': libraryOnPaper(['libm.so.6', 'libc.so.6']),
        'usr/lib/x/libm.so.6': libraryOnPaper(['libc.so.6']),
        'usr/lib/x/libc.so.6': libraryOnPaper([]),
        'usr/lib/x/libunused.so.1': libraryOnPaper([]),
      })

      const entries = await librariesOf(root, 'x', [libraryOnPaper(['libstdc++.so.6']), libraryOnPaper(['libc.so.6'])])

      assert.deepEqual(told(entries), [
        'usr/lib/x/libc.so.6',
        'usr/lib/x/libm.so.6',
        'usr/lib/x/libstdc++.so.6 -> libstdc++.so.6.0.33',
        'usr/lib/x/libstdc++.so.6.0.33',
      ])
    }))

  it('are first looked for where the program itself says', () =>
    withFolder(async (root) => {
      await fill(root, {
        'usr/lib/x/libshared.so': libraryOnPaper([]),
        'usr/lib/x/private/libshared.so': libraryOnPaper([]),
        'usr/lib/x/libc.so.6': libraryOnPaper([]),
      })
      const program = libraryOnPaper(['libshared.so', 'libc.so.6'], '', '$ORIGIN/../x:/usr/lib/x/private')

      const entries = await librariesOf(root, 'x', [program])

      assert.deepEqual(told(entries), ['usr/lib/x/libc.so.6', 'usr/lib/x/private/libshared.so'])
    }))

  it('that no package has are told by name', () =>
    withFolder(async (root) => {
      await assert.rejects(librariesOf(root, 'x', [libraryOnPaper(['libssl.so.3'])]), {
        name: 'PxeError',
        message: "usr/lib/x/libssl.so.3 is not in Debian's packages: the ramdisk's recipe is out of date.",
      })
    }))

  it('come from the packages also when a link names them absolutely, and never from this box', () =>
    withFolder(async (folder) => {
      const root = join(folder, 'root')
      await fill(folder, { 'secret/libc.so.6': 'of this box' })
      await fill(root, {
        'usr/lib64/ld.so': '-> /lib/x/ld.so',
        'usr/lib/x/ld.so': libraryOnPaper([]),
        'usr/lib/x/libc.so.6': `-> ${folder}/secret/libc.so.6`,
      })

      const loader = await filesOf(root, 'usr/lib64/ld.so')

      assert.deepEqual(told(loader), ['usr/lib/x/ld.so', 'usr/lib64/ld.so -> /lib/x/ld.so'])
      await assert.rejects(filesOf(root, 'usr/lib/x/libc.so.6'), { name: 'PxeError' })
    }))

  it('that are links to themselves are refused', () =>
    withFolder(async (root) => {
      await fill(root, { 'usr/lib/x/a.so': '-> a.so' })

      await assert.rejects(filesOf(root, 'usr/lib/x/a.so'), {
        message: "usr/lib/x/a.so is a link that leads nowhere: the ramdisk's recipe is out of date.",
      })
    }))
})
