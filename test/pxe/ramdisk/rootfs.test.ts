/** Unpacked packages are read as a chroot does: this box's own files are out of reach. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readIn, resolveIn } from '../../../pxe/ramdisk/rootfs.ts'
import { fill, withFolder } from './folder.ts'

describe('a root folder', () => {
  it('keeps absolute links and .. inside, in the last name and on the way there', () =>
    withFolder(async (folder) => {
      const root = join(folder, 'root')
      await fill(folder, { 'etc/shadow': 'of this box' })
      await fill(root, {
        'etc/shadow': 'of the root',
        absolute: '-> /etc/shadow',
        up: '-> ../../../../etc/shadow',
        outside: '-> ..',
        'usr/etc': '-> /etc',
      })

      const texts = []
      for (const path of ['absolute', 'up', 'outside/etc/shadow', 'usr/etc/shadow', '../etc/shadow']) {
        texts.push((await readIn(root, path)).toString())
      }

      assert.deepEqual(new Set(texts), new Set(['of the root']))
    }))

  it('has bin, sbin, lib and lib64 in usr, as Debian does', () =>
    withFolder(async (root) => {
      await fill(root, { 'usr/lib/x/libc.so.6': 'C', 'usr/bin/a': '-> /lib/x/libc.so.6' })

      assert.equal(await resolveIn(root, 'lib/x/libc.so.6'), 'usr/lib/x/libc.so.6')
      assert.equal(await resolveIn(root, 'usr/bin/a'), 'usr/lib/x/libc.so.6')
    }))

  it('refuses a circle of links, and what is not there', () =>
    withFolder(async (root) => {
      await fill(root, { a: '-> b', b: '-> a' })

      await assert.rejects(resolveIn(root, 'a'), { code: 'ELOOP' })
      await assert.rejects(resolveIn(root, 'nothing'), { code: 'ENOENT' })
    }))
})
