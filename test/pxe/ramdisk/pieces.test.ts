/** What a layer takes from Debian's packages, and two layers that cannot be told apart. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { buildRamdisk } from '../../../pxe/ramdisk/build.ts'
import type { LayerRecipe } from '../../../pxe/ramdisk/layer.ts'
import { makeLayer } from '../../../pxe/ramdisk/pieces.ts'
import { libraryOnPaper, moduleOnPaper } from './elf-on-paper.ts'
import { fill, withFolder } from './folder.ts'

const { signal } = new AbortController()
const architecture = { debian: 'amd64', triplet: 'x', loader: 'usr/lib64/ld.so', kernel: 'vmlinuz' }
const kernel = { package: 'linux-image-test', modules: ['virtio_net'], without: ['fs/'], firmware: [], components: [] }
const core = { kernel: '6.12-test', paths: ['usr/lib/x/libc.so.6', 'usr/lib/modules/6.12-test/kernel/lib/crc.ko'] }
const layerOf = (change: Partial<LayerRecipe>): LayerRecipe => ({
  ...{ name: 'podman', packages: [], programs: [], modules: [], links: {} },
  ...change,
})

async function fillRoot(root: string): Promise<void> {
  await fill(root, {
    'usr/bin/podman': libraryOnPaper(['libgpgme.so.11', 'libc.so.6']),
    'usr/bin/script': '#!/bin/sh\n',
    'usr/share/containers/seccomp.json': '{}',
    'usr/lib/x/libgpgme.so.11': libraryOnPaper(['libc.so.6']),
    'usr/lib/x/libc.so.6': libraryOnPaper([]),
    'usr/lib/x/libplugin.so': libraryOnPaper([]),
    'usr/lib/modules/6.12-test/kernel/fs/overlay.ko': moduleOnPaper('depends=crc'),
    'usr/lib/modules/6.12-test/kernel/lib/crc.ko': moduleOnPaper(),
  })
}

describe('a layer of the ramdisk', () => {
  it('has its programs with the libraries that the core has not, folders, links, and its modules', () =>
    withFolder(async (root) => {
      await fillRoot(root)
      const layer = layerOf({
        programs: ['usr/bin/podman', 'usr/bin/script', 'usr/share/containers/', 'usr/lib/{triplet}/libplugin.so'],
        modules: ['overlay'],
        links: { 'usr/bin/docker': 'podman' },
      })

      const made = await makeLayer(root, { layer, architecture, kernel, core, signal })

      assert.equal(made.kernel, '6.12-test')
      assert.deepEqual(
        made.entries.map(({ path }) => path),
        [
          'usr/bin/podman',
          'usr/bin/script',
          'usr/share/containers/seccomp.json',
          'usr/lib/x/libplugin.so',
          'usr/lib/x/libgpgme.so.11',
          'usr/bin/docker',
          'usr/lib/rackstrap/modules/podman.dep',
          'usr/lib/rackstrap/modules/podman.alias',
          'usr/lib/modules/6.12-test/kernel/fs/overlay.ko',
        ],
      )
    }))

  it('needs no kernel when it has no modules', () =>
    withFolder(async (root) => {
      const made = await makeLayer(root, { layer: layerOf({}), architecture, kernel, core, signal })

      assert.deepEqual(made, { kernel: undefined, entries: [] })
    }))

  it('that wants what no package has is told by its name', () =>
    withFolder(async (root) => {
      await fillRoot(root)
      const layer = layerOf({ programs: ['usr/bin/skopeo'] })

      await assert.rejects(makeLayer(root, { layer, architecture, kernel, core, signal }), {
        name: 'PxeError',
        message:
          "Layer podman cannot be made: usr/bin/skopeo is not in Debian's packages: the ramdisk's recipe is out of date.",
      })
    }))

  it('that has the name of another is refused before anything is fetched', () =>
    withFolder(async (folder) => {
      await fill(folder, { 'a/podman/layer.json': '{}', 'b/podman/layer.json': '{}' })
      const layers = ['a', 'b'].map((plugin) => ({ name: 'podman', folder: join(folder, plugin, 'podman') }))

      await assert.rejects(buildRamdisk({ output: folder, flavour: 'virtual', layers, log() {}, signal }), {
        name: 'PxeError',
        message: `Two layers are named "podman": ${folder}/a/podman and ${folder}/b/podman. Give one of them another name.`,
      })
    }))
})
