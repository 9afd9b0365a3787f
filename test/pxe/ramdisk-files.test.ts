import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readRamdiskFiles } from '../../pxe/index.ts'
import { temporaryFolder } from './temporary-folder.ts'

const whole = {
  kernel: 'vmlinuz-1',
  core: ['a.cpio.zst', 'b.cpio.zst'],
  layers: { podman: 'p.cpio.zst' },
  digest: 'sha256:1',
  kernel_params: 'console=ttyS0',
}

describe('list of the deploy ramdisk’s files', () => {
  it('is read as the builder wrote it; layers, digest and parameters may be missing', async (t) => {
    const folder = await temporaryFolder(t)
    await writeFile(join(folder, 'ramdisk.json'), JSON.stringify(whole))
    assert.deepEqual(await readRamdiskFiles(folder), { ...whole, takes_layers: true })

    await writeFile(join(folder, 'ramdisk.json'), '{"kernel": "k", "core": ["c"]}')
    assert.deepEqual(await readRamdiskFiles(folder), {
      kernel: 'k',
      core: ['c'],
      layers: {},
      takes_layers: false,
      digest: '',
      kernel_params: '',
    })
  })

  it('that is missing is told with how to build one', async (t) => {
    const folder = await temporaryFolder(t)

    await assert.rejects(readRamdiskFiles(folder), {
      name: 'PxeError',
      message: `There is no deploy ramdisk: ${folder}/ramdisk.json cannot be read (ENOENT). Build one with "rackstrap ramdisk build --output ${folder}", or correct [pxe] ramdisk_path.`,
    })
  })

  const damages = [
    ['', 'no JSON object'],
    ['{"kernel": "vmlinuz', 'no JSON object'],
    ['null', 'no JSON object'],
    ['{}', 'no file name as "kernel"'],
    ['{"kernel": "../vmlinuz", "core": ["c"]}', 'no file name as "kernel"'],
    ['{"kernel": "a b", "core": ["c"]}', 'no file name as "kernel"'],
    ['{"kernel": "k", "core": []}', 'no file names as "core"'],
    ['{"kernel": "k", "core": ["c || reboot"]}', 'no file names as "core"'],
    ['{"kernel": "k", "core": ["c"], "layers": {"x": "/etc/shadow"}}', 'no file names as "layers"'],
    ['{"kernel": "k", "core": ["c"], "digest": 1}', 'no text as "digest" or "kernel_params"'],
  ] as const
  for (const [text, found] of damages) {
    it(`that is damaged is told so: ${text || 'empty'}`, async (t) => {
      const folder = await temporaryFolder(t)
      await writeFile(join(folder, 'ramdisk.json'), text)

      await assert.rejects(readRamdiskFiles(folder), {
        name: 'PxeError',
        message: `${folder}/ramdisk.json is damaged: it holds ${found}. Build the ramdisk again with "rackstrap ramdisk build --output ${folder}".`,
      })
    })
  }

  it('may not bring parameters that would become commands', async (t) => {
    const folder = await temporaryFolder(t)
    await writeFile(join(folder, 'ramdisk.json'), JSON.stringify({ ...whole, kernel_params: 'nofb\nreboot' }))

    await assert.rejects(readRamdiskFiles(folder), {
      name: 'PxeError',
      message: /^Kernel parameters hold a line break/,
    })
  })
})
