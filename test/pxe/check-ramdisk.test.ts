import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { checkRamdisk } from '../../pxe/index.ts'
import { temporaryFolder } from './temporary-folder.ts'

const X86_KERNEL = Buffer.alloc(0x300)
X86_KERNEL.write('HdrS', 0x202, 'latin1')

async function ramdisk(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'vmlinuz'), X86_KERNEL)
  await writeFile(join(folder, 'core'), 'core')
  await writeFile(join(folder, 'podman'), 'layer')
  const list = { kernel: 'vmlinuz', core: ['core'], layers: { podman: 'podman' } }
  await writeFile(join(folder, 'ramdisk.json'), JSON.stringify(list))
  return folder
}

describe('deploy ramdisk', () => {
  it('can be used when each of its files is there, and the layers that are asked for', async (t) => {
    const folder = await ramdisk(t)

    const { kernel } = await checkRamdisk(folder, { layers: ['podman'], cpu_arch: 'x86_64' })

    assert.equal(kernel, 'vmlinuz')
  })

  it('can be used without the layer for erasing, as an older version has built it; not without that for a rescue', async (t) => {
    const folder = await ramdisk(t)

    await checkRamdisk(folder, { layers: ['rackstrap-erase'] })
    await assert.rejects(checkRamdisk(folder, { layers: ['rackstrap-rescue'] }), /has no layer "rackstrap-rescue"/)
  })

  const again = (folder: string) => `Build it again with "rackstrap ramdisk build --output ${folder}"`
  const half: [string, (folder: string) => Promise<unknown>, (folder: string) => string][] = [
    ['file is missing', (folder) => rm(join(folder, 'core')), (folder) => `${folder}/core cannot be read (ENOENT)`],
    ['kernel is empty', (folder) => writeFile(join(folder, 'vmlinuz'), ''), (folder) => `${folder}/vmlinuz is empty`],
    [
      'file is a folder',
      (folder) => rm(join(folder, 'podman')).then(() => mkdir(join(folder, 'podman'))),
      (folder) => `${folder}/podman is no file`,
    ],
  ]
  for (const [what, damage, found] of half) {
    it(`cannot be used when a ${what}, and that is said with the command that mends it`, async (t) => {
      const folder = await ramdisk(t)
      await damage(folder)

      await assert.rejects(checkRamdisk(folder, { layers: ['podman'] }), {
        name: 'PxeError',
        message: `The deploy ramdisk cannot be used: ${found(folder)}. ${again(folder)}, or correct [pxe] ramdisk_path.`,
      })
    })
  }

  it('is refused without a layer that is asked for, and for another kind of processor', async (t) => {
    const folder = await ramdisk(t)

    await assert.rejects(checkRamdisk(folder, { layers: ['ansible'] }), {
      message: `The deploy ramdisk in ${folder} has no layer "ansible" (there: podman). Build it again with that layer: "rackstrap ramdisk build --output ${folder}".`,
    })
    await assert.rejects(checkRamdisk(folder, { cpu_arch: 'aarch64' }), {
      message: `The deploy ramdisk in ${folder} is for x86_64, and the machine is aarch64 (properties/cpu_arch). Build one on an aarch64 box, or correct properties/cpu_arch.`,
    })
  })
})
