/** What firmware finds to start in an ISO: those of genisoimage, and broken ones. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bootImagesOf } from '../../../../appliance/images/format/boot-catalogue.ts'

const FLOPPY = Buffer.alloc(1440 * 1024, 'a floppy disk ')
const SECTOR = 2048
const RECORD = 17 * SECTOR

describe('the boot catalogue of an ISO', () => {
  const folder = mkdtempSync(join(tmpdir(), 'boot-catalogue-'))
  const content = join(folder, 'content')
  mkdirSync(content)
  writeFileSync(join(content, 'floppy.img'), FLOPPY)
  writeFileSync(join(content, 'loader.bin'), Buffer.alloc(2048, 1))
  writeFileSync(join(content, 'efi.img'), Buffer.alloc(4096, 2))
  after(() => rmSync(folder, { recursive: true }))

  function isoWith(...options: readonly string[]): string {
    const file = join(folder, `${options.join('').replaceAll(/\W/g, '')}.iso`)
    execFileSync('genisoimage', ['-quiet', '-o', file, ...options, content], { stdio: 'ignore' })
    return file
  }
  async function imagesIn(path: string) {
    await using file = await open(path)
    return await bootImagesOf(file, (await file.stat()).size)
  }
  /** The ISO with some bytes changed. */
  function changed(path: string, change: (iso: Buffer) => void): string {
    const iso = readFileSync(path)
    change(iso)
    writeFileSync(`${path}.changed`, iso)
    return `${path}.changed`
  }

  it('tells where the floppy disk lies that a BIOS is to see', async () => {
    const iso = isoWith('-b', 'floppy.img', '-c', 'boot.cat')

    const [floppy, ...more] = await imagesIn(iso)

    assert.ok(floppy)
    const { start_bytes, ...rest } = floppy
    assert.deepEqual([rest, more], [{ firmware: 'bios', emulates: 'floppy', size_bytes: FLOPPY.length }, []])
    assert.deepEqual(readFileSync(iso).subarray(start_bytes, start_bytes + FLOPPY.length), FLOPPY)
  })

  it('holds what BIOS and UEFI start, in this order', async () => {
    const bios = ['-b', 'loader.bin', '-no-emul-boot', '-boot-load-size', '4', '-c', 'boot.cat']

    const images = await imagesIn(isoWith(...bios, '-eltorito-alt-boot', '-e', 'efi.img', '-no-emul-boot'))

    assert.deepEqual(
      images.map(({ firmware, emulates }) => `${firmware} ${emulates}`),
      ['bios nothing', 'uefi nothing'],
    )
  })

  it('is not there in an ISO of files alone, and in what is no ISO', async () => {
    writeFileSync(join(folder, 'short'), 'a short text')

    assert.deepEqual([await imagesIn(isoWith()), await imagesIn(join(folder, 'short'))], [[], []])
  })

  it('counts for nothing where it is damaged, or leads out of the ISO', async () => {
    const iso = isoWith('-b', 'floppy.img', '-c', 'boot.cat')
    const catalogue = readFileSync(iso).readUInt32LE(RECORD + 0x47) * SECTOR

    const damages: ((iso: Buffer) => void)[] = [
      (bytes) => void bytes.writeUInt32LE(0xffffffff, RECORD + 0x47),
      (bytes) => void bytes.writeUInt8(0, catalogue + 0x1e),
      (bytes) => void bytes.writeUInt32LE(0xffffffff, catalogue + 32 + 8),
      (bytes) => void bytes.writeUInt8(0x00, catalogue + 32),
    ]

    for (const damage of damages) assert.deepEqual(await imagesIn(changed(iso, damage)), [])
  })
})
