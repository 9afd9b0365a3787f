/** What is taken for a disk that firmware could start. */
import assert from 'node:assert/strict'
import { open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { whyNotBootable } from '../../../../appliance/images/format/bootable-disk.ts'
import { stateFolder } from '../../records/state-folder.ts'
import { BIOS_BOOT, EFI_SYSTEM, fill, layOut, makeBootable, ROOT } from './bootable-file.ts'

const diskFor = (t: TestContext) => join(stateFolder(t), 'disk')

describe('a bootable disk', () => {
  it('is one when it has a partition to boot from and a root with something on it', async (t) => {
    const path = diskFor(t)

    await makeBootable(path)

    assert.equal(await whyNotBootable(path), undefined)
  })

  it('may boot by BIOS alone', async (t) => {
    const path = diskFor(t)

    await layOut(path, [BIOS_BOOT, ROOT])
    await fill(path)

    assert.equal(await whyNotBootable(path), undefined)
  })

  const less: [string, readonly string[]][] = [
    ['it has no partition table', []],
    ['it has no partition to boot from', [ROOT]],
    ['it has no root partition', [BIOS_BOOT, EFI_SYSTEM]],
    ['it has more than one root partition', [EFI_SYSTEM, ROOT, ROOT]],
    ['its root partition is empty', [EFI_SYSTEM, ROOT]],
  ]
  for (const [why, types] of less)
    it(`is none when ${why}`, async (t) => {
      const path = diskFor(t)

      await layOut(path, types)

      assert.equal(await whyNotBootable(path), why)
    })

  it('is none when its root lies beyond its end', async (t) => {
    const path = diskFor(t)
    await makeBootable(path)

    await truncate(path, 32 * 1024 ** 2)

    assert.equal(await whyNotBootable(path), 'it has no root partition')
  })

  it('is read within bounds, whatever its table says', async (t) => {
    const path = diskFor(t)
    const entries: [at: number, value: Buffer][] = [
      [72, Buffer.alloc(8, 0xff)],
      [80, Buffer.alloc(4, 0xff)],
      [84, Buffer.alloc(4, 0)],
      [84, Buffer.alloc(4, 0xff)],
    ]

    for (const [at, value] of entries) {
      await makeBootable(path)
      await using file = await open(path, 'r+')
      await file.write(value, 0, value.length, 512 + at)

      const why = await whyNotBootable(path)

      assert.match(String(why), /^it has no partition (table|to boot from)$/, `byte ${at}`)
    }
  })

  it('is none when it is a text, or nothing', async (t) => {
    const path = diskFor(t)

    for (const text of ['', 'all went well\n'.repeat(100)]) {
      await writeFile(path, text)

      assert.equal(await whyNotBootable(path), 'it has no partition table')
    }
  })
})
