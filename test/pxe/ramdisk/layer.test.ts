/** A layer of the ramdisk, as a plugin's folder describes it. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readLayer } from '../../../pxe/ramdisk/layer.ts'
import { fill, withFolder } from './folder.ts'

const EXAMPLE = {
  packages: ['podman'],
  programs: ['usr/bin/podman', 'usr/share/containers/', 'usr/lib/{triplet}/libx.so.1'],
  modules: ['overlay'],
  modules_hardware: ['drivers/md/'],
  links: { 'usr/bin/docker': 'podman' },
}

describe('a layer of the ramdisk', () => {
  it('names Debian packages, what to take of them, kernel modules and links', () =>
    withFolder(async (folder) => {
      await fill(folder, { 'layer.json': JSON.stringify(EXAMPLE), 'steps/index.ts': '' })

      const virtual = await readLayer({ name: 'podman', folder }, 'virtual')
      const hardware = await readLayer({ name: 'podman', folder }, 'hardware')

      const { modules_hardware: _more, ...recipe } = EXAMPLE
      assert.deepEqual(virtual, {
        recipe: { name: 'podman', ...recipe },
        root: join(folder, 'root'),
        steps: join(folder, 'steps/index.ts'),
      })
      assert.deepEqual(hardware.recipe.modules, ['overlay', 'drivers/md/'])
    }))

  it('may be nothing but files of its own', () =>
    withFolder(async (folder) => {
      await fill(folder, { 'layer.json': '{}' })

      const { recipe, steps } = await readLayer({ name: 'a', folder }, 'virtual')

      assert.deepEqual(recipe, { name: 'a', packages: [], programs: [], modules: [], links: {} })
      assert.equal(steps, undefined)
    }))

  const refusals: [string, unknown, string][] = [
    ['is no object', [], 'no JSON object'],
    [
      'has a misspelt key',
      { package: [] },
      '"package" in it: it knows packages, programs, modules, modules_hardware, links',
    ],
    ['has a text for a list', { packages: 'podman' }, '"podman" as "packages": a list is expected'],
    ['has a package that is an option', { packages: ['--help'] }, '"--help" in "packages", which is none'],
    ['has a program outside', { programs: ['../etc/shadow'] }, '"../etc/shadow" in "programs", which is none'],
    ['has a program from the root', { programs: ['/usr/bin/a'] }, '"/usr/bin/a" in "programs", which is none'],
    ['has a module that is a path', { modules: ['../a/'] }, '"../a/" in "modules", which is none'],
    ['has links that are a list', { links: [] }, 'no object as "links"'],
    ['has a link outside', { links: { '../a': 'b' } }, '"../a" in "links", which is not a path and its target'],
  ]
  for (const [name, content, found] of refusals) {
    it(`is refused when its layer.json ${name}`, () =>
      withFolder(async (folder) => {
        await fill(folder, { 'layer.json': JSON.stringify(content) })

        await assert.rejects(readLayer({ name: 'a', folder }, 'virtual'), {
          name: 'PxeError',
          message: `${join(folder, 'layer.json')} has ${found}.`,
        })
      }))
  }

  it('is refused without a layer.json, and by a name that no file could have', () =>
    withFolder(async (folder) => {
      await assert.rejects(readLayer({ name: 'a', folder }, 'virtual'), {
        message: `${folder}/layer.json cannot be read (ENOENT): it says what is in this layer of the deploy ramdisk.`,
      })
      await assert.rejects(readLayer({ name: '../a', folder }, 'virtual'), {
        message: /the name of a layer has lower case/,
      })
    }))
})
