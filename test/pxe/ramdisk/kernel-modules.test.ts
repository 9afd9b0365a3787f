/** Which kernel modules and firmware a ramdisk gets, and what modprobe is told of them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Entry } from '../../../pxe/ramdisk/cpio.ts'
import { kernelModules, layerModules } from '../../../pxe/ramdisk/kernel-modules.ts'
import type { KernelRecipe } from '../../../pxe/ramdisk/recipe.ts'
import { moduleOnPaper } from './elf-on-paper.ts'
import { fill, withFolder } from './folder.ts'

const MODULES = 'usr/lib/modules/6.12-test'
const { signal } = new AbortController()
const recipe = (change: Partial<KernelRecipe>): KernelRecipe => ({
  package: 'linux-image-test',
  modules: [],
  without: [],
  firmware: [],
  components: ['main'],
  ...change,
})
const textOf = (entries: readonly Entry[], path: string) => {
  const entry = entries.find((candidate) => candidate.path === path)
  return entry?.kind === 'file' ? entry.content.toString() : undefined
}
const pathsOf = (entries: readonly Entry[]) => entries.map(({ path }) => path.replace(`${MODULES}/`, ''))

async function fillModules(root: string): Promise<void> {
  await fill(join(root, MODULES, 'kernel'), {
    'net/net_failover.ko': moduleOnPaper('depends=failover'),
    'net/failover.ko': moduleOnPaper(),
    'drivers/net/virtio_net.ko': moduleOnPaper('alias=virtio:d00000001v*', 'depends=net_failover,failover'),
    'drivers/scsi/sd_mod.ko': moduleOnPaper('alias=scsi:t-0x00*', 'softdep=pre: crc-t10dif post: other'),
    'drivers/scsi/scsi_debug.ko': moduleOnPaper(),
    'lib/crc-t10dif.ko': moduleOnPaper('depends='),
    'drivers/net/bnx2.ko': moduleOnPaper('firmware=bnx2/a.fw', 'firmware=bnx2/absent.fw'),
  })
}

describe('kernel modules of the ramdisk', () => {
  it('come with all that they depend on, soft dependencies too', () =>
    withFolder(async (root) => {
      await fillModules(root)

      const entries = await kernelModules(root, recipe({ modules: ['virtio_net', 'sd-mod'] }), signal)

      assert.deepEqual(pathsOf(entries), [
        'modules.dep',
        'modules.alias',
        'kernel/drivers/net/virtio_net.ko',
        'kernel/drivers/scsi/sd_mod.ko',
        'kernel/lib/crc-t10dif.ko',
        'kernel/net/failover.ko',
        'kernel/net/net_failover.ko',
      ])
    }))

  it('have the tables that modprobe reads: each with what must be loaded before, the last one first', () =>
    withFolder(async (root) => {
      await fillModules(root)

      const entries = await kernelModules(root, recipe({ modules: ['virtio_net', 'sd_mod'] }), signal)

      assert.equal(
        textOf(entries, `${MODULES}/modules.dep`),
        [
          'kernel/drivers/net/virtio_net.ko: kernel/net/net_failover.ko kernel/net/failover.ko',
          'kernel/drivers/scsi/sd_mod.ko: kernel/lib/crc-t10dif.ko',
          'kernel/lib/crc-t10dif.ko:',
          'kernel/net/failover.ko:',
          'kernel/net/net_failover.ko: kernel/net/failover.ko',
          '',
        ].join('\n'),
      )
      assert.equal(
        textOf(entries, `${MODULES}/modules.alias`),
        'alias virtio:d00000001v* virtio_net\nalias scsi:t-0x00* sd_mod\n',
      )
    }))

  it('are named by folder as well, but for those that are to stay out', () =>
    withFolder(async (root) => {
      await fillModules(root)
      const wanted = recipe({ modules: ['drivers/scsi/'], without: ['drivers/scsi/scsi_debug'] })

      const entries = await kernelModules(root, wanted, signal)

      assert.deepEqual(pathsOf(entries).slice(2), ['kernel/drivers/scsi/sd_mod.ko', 'kernel/lib/crc-t10dif.ko'])
    }))

  it('bring the firmware that they name and a package has', () =>
    withFolder(async (root) => {
      await fillModules(root)
      await fill(root, {
        'usr/lib/firmware/bnx2/a.fw': '-> /lib/firmware/bnx2/b.fw',
        'usr/lib/firmware/bnx2/b.fw': 'firmware',
        'usr/lib/firmware/bnx2/unused.fw': 'of another card',
      })

      const entries = await kernelModules(root, recipe({ modules: ['bnx2'] }), signal)

      assert.equal(textOf(entries, 'usr/lib/firmware/bnx2/a.fw'), 'firmware')
      assert.deepEqual(pathsOf(entries).slice(2), ['kernel/drivers/net/bnx2.ko', 'usr/lib/firmware/bnx2/a.fw'])
    }))

  it('are unpacked when the package has them compressed', () =>
    withFolder(async (root) => {
      await fillModules(root)
      execFileSync('xz', [join(root, MODULES, 'kernel/net/failover.ko')])

      const entries = await kernelModules(root, recipe({ modules: ['failover'] }), signal)

      assert.deepEqual(pathsOf(entries).slice(2), ['kernel/net/failover.ko'])
      assert.equal(textOf(entries, `${MODULES}/kernel/net/failover.ko`), moduleOnPaper().toString())
    }))

  it('that the kernel does not have, or more than one kernel, are told', () =>
    withFolder(async (root) => {
      await fillModules(root)
      await assert.rejects(kernelModules(root, recipe({ modules: ['e1000'] }), signal), {
        name: 'PxeError',
        message: "linux-image-test has no module e1000: the ramdisk's recipe is out of date.",
      })

      await fill(root, { 'usr/lib/modules/6.13-test/kernel/a.ko': moduleOnPaper() })

      await assert.rejects(kernelModules(root, recipe({ modules: ['bnx2'] }), signal), {
        message: /^One kernel was wanted, found 6\.1\d-test, 6\.1\d-test\.$/,
      })
    }))

  it('that a layer brings are those that the core has not, with tables of their own', () =>
    withFolder(async (root) => {
      await fillModules(root)
      await fill(join(root, MODULES), { 'modules.builtin': 'kernel/fs/ext4/ext4.ko\n' })
      const wanted = recipe({ modules: ['virtio_net', 'bnx2', 'ext4'] })
      const present = new Set([`${MODULES}/kernel/net/failover.ko`])

      const entries = await layerModules(root, { name: 'podman', recipe: wanted, present }, signal)

      assert.deepEqual(pathsOf(entries), [
        'usr/lib/rackstrap/modules/podman.dep',
        'usr/lib/rackstrap/modules/podman.alias',
        'kernel/drivers/net/bnx2.ko',
        'kernel/drivers/net/virtio_net.ko',
        'kernel/net/net_failover.ko',
      ])
      assert.equal(
        textOf(entries, 'usr/lib/rackstrap/modules/podman.dep'),
        [
          'kernel/drivers/net/bnx2.ko:',
          'kernel/drivers/net/virtio_net.ko: kernel/net/net_failover.ko kernel/net/failover.ko',
          'kernel/net/net_failover.ko: kernel/net/failover.ko',
          '',
        ].join('\n'),
      )
      assert.equal(textOf(entries, 'usr/lib/rackstrap/modules/podman.alias'), 'alias virtio:d00000001v* virtio_net\n')
    }))

  it('are files of the package: a link to a file of this box is none', () =>
    withFolder(async (folder) => {
      const root = join(folder, 'root')
      await fillModules(root)
      await fill(folder, { 'host.ko': moduleOnPaper() })
      await fill(root, { [`${MODULES}/kernel/drivers/net/evil.ko`]: `-> ${folder}/host.ko` })

      const entries = await kernelModules(root, recipe({ modules: ['drivers/net/'] }), signal)

      assert.ok(!pathsOf(entries).includes('kernel/drivers/net/evil.ko'))
    }))
})
