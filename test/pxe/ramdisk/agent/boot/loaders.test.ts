import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { type Loaders, loadersOn } from '../../../../../pxe/ramdisk/agent/boot/loaders.ts'
import { inFolder } from '../quick-folder.ts'

const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le')
const SHIM_CSV = utf16('shimx64.efi,Fedora,,This is the boot entry for Fedora\r\n')

function found(files: Readonly<Record<string, string | Buffer>>): Promise<Loaders> {
  return inFolder('efi-', async (folder) => {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), content)
    }
    return loadersOn(folder)
  })
}

describe('the boot loader of an EFI system partition', { skip: process.arch !== 'x64' }, () => {
  it('is the one that the distribution names in its CSV file, by the name that it gives', async () => {
    const loaders = await found({
      'EFI/BOOT/BOOTX64.EFI': '',
      'EFI/BOOT/fbx64.efi': '',
      'EFI/fedora/BOOTX64.CSV': SHIM_CSV,
      'EFI/fedora/grubx64.efi': '',
      'EFI/fedora/shimx64.efi': '',
    })

    assert.deepEqual(loaders, { best: { path: '\\EFI\\fedora\\shimx64.efi', label: 'Fedora' }, has_fallback: true })
  })

  it('is otherwise that of \\EFI\\BOOT, whatever the case of its letters', async () => {
    const loaders = await found({ 'efi/boot/bootx64.efi': '', 'efi/debian/grubx64.efi': '' })

    assert.deepEqual(loaders, { best: { path: '\\efi\\boot\\bootx64.efi', label: 'ironic1' }, has_fallback: true })
  })

  it('is otherwise a known one in a folder of its own, shim before grub', async () => {
    const loaders = await found({
      'EFI/arch/grubx64.efi': '',
      'EFI/debian/shimx64.efi': '',
      'EFI/debian/grubx64.efi': '',
    })

    assert.deepEqual(loaders, { best: { path: '\\EFI\\debian\\shimx64.efi', label: 'ironic1' }, has_fallback: false })
  })

  it('is none where there is nothing for this architecture', async () => {
    assert.deepEqual(await found({ 'EFI/BOOT/BOOTAA64.EFI': '' }), { best: undefined, has_fallback: false })
    assert.deepEqual(await found({ 'boot.efi': '' }), { best: undefined, has_fallback: false })
  })

  it('is not taken from a CSV file that names nothing beside it, or is noise', async () => {
    for (const csv of [
      utf16('..\\..\\evil.efi,Evil\n'),
      utf16('gone.efi,Gone\n'),
      utf16('grub.cfg,No loader\n'),
      Buffer.alloc(100_000, 0xff),
      Buffer.from('x'),
      '',
    ]) {
      const { best } = await found({ 'EFI/a/BOOTX64.CSV': csv, 'EFI/a/grub.cfg': '', 'EFI/BOOT/BOOTX64.EFI': '' })

      assert.deepEqual(best, { path: '\\EFI\\BOOT\\BOOTX64.EFI', label: 'ironic1' })
    }
  })

  it('has a name that can be shown', async () => {
    const csv = utf16(`gone.efi,Gone\nshimx64.efi,\u001b[2J ${'Long \u202e'.repeat(50)},,\n`)

    const { best } = await found({ 'EFI/a/boot.csv': csv, 'EFI/a/shimx64.efi': '' })

    assert.equal(best?.label, `[2J ${'Long '.repeat(12)}`.trim())
  })

  it('has the name of its folder where the CSV file has none, and ours where that cannot be shown either', async () => {
    const labelIn = async (folder: string) => {
      const { best } = await found({ [`EFI/${folder}/boot.csv`]: utf16('a.efi,\n'), [`EFI/${folder}/a.efi`]: '' })
      return best?.label
    }

    assert.equal(await labelIn('fedora'), 'fedora')
    assert.equal(await labelIn('\u00e9'), 'ironic1')
  })

  it('is looked for elsewhere when a CSV file cannot be read', async () => {
    const { best } = await found({ 'EFI/a/boot.csv/folder': '', 'EFI/BOOT/BOOTX64.EFI': '' })

    assert.equal(best?.path, '\\EFI\\BOOT\\BOOTX64.EFI')
  })
})
