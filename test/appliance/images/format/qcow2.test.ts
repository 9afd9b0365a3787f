/**
 * Which qcow2 images qemu-img gets to see: real ones that stand alone. Each refusal is from a header that qemu-img,
 * or an enemy, wrote.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { checkQcow2 } from '../../../../appliance/images/format/qcow2.ts'
import { temporaryFolder } from '../images-in-folder.ts'

const LIMIT_BYTES = 1024 ** 4

describe('a qcow2 image', () => {
  const folder = temporaryFolder()
  const create = (...options: string[]) => {
    const path = join(folder, 'image.qcow2')
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path, '8M'])
    return readFileSync(path)
  }
  const check = (image: Buffer) => checkQcow2(image.subarray(0, 64 * 1024), image.length, LIMIT_BYTES, 'x')
  const says = (image: Buffer, message: string | RegExp) =>
    assert.throws(() => check(image), { name: 'ImageUnacceptable', message })
  const plain = create()
  const EXTENSIONS_AT = plain.readUInt32BE(100)
  const changed = (at: number, bytes: number[]) => {
    const image = Buffer.from(plain)
    image.set(bytes, at)
    return image
  }
  after(() => rmSync(folder, { recursive: true }))

  it('that stands alone is taken, whatever qemu-img made it with', () => {
    for (const options of [
      ['-o', 'compat=1.1'],
      ['-o', 'compat=0.10'],
      ['-o', 'cluster_size=512'],
      ['-o', 'cluster_size=2M'],
      ['-o', 'compression_type=zstd'],
      ['-o', 'extended_l2=on,cluster_size=128k'],
      ['-o', 'lazy_refcounts=on,preallocation=metadata'],
    ]) {
      assert.equal(check(create(...options)), 8 * 1024 * 1024, options.join())
    }
  })

  it('with a backing file is refused', () => {
    writeFileSync(join(folder, 'base.raw'), Buffer.alloc(8 * 1024 * 1024))
    says(
      create('-b', join(folder, 'base.raw'), '-F', 'raw'),
      'Image x is a qcow2 image that has a backing file: refused. Make one that stands alone: qemu-img convert -O qcow2.',
    )
  })

  it('with an external data file is refused', () => {
    says(
      create('-o', `data_file=${join(folder, 'data.raw')},data_file_raw=on`),
      'Image x is a qcow2 image that has an external data file: refused. Make one that stands alone: qemu-img convert -O qcow2.',
    )
  })

  it('that names a data file without owning up to it is refused', () => {
    says(changed(EXTENSIONS_AT, [0x44, 0x41, 0x54, 0x41, 0, 0, 0, 8]), /names an external data file/)
  })

  it('that is encrypted, corrupt, or of the future is refused', () => {
    says(
      changed(32, [0, 0, 0, 2]),
      'Image x is a qcow2 image that is encrypted: refused. Make one that stands alone: qemu-img convert -O qcow2.',
    )
    says(changed(79, [0b10]), /is marked corrupt: Repair it/)
    says(changed(78, [0b1]), /needs features that are not known here/)
    says(changed(7, [9]), 'Image x is a qcow2 image that has version 9: expected version 2 or 3.')
  })

  it('with a huge virtual disk is refused, whatever its file has', () => {
    says(
      changed(24, [0x10, 0, 0, 0, 0, 0, 0, 0]),
      `Image x is a qcow2 image that has a virtual disk of ${2n ** 60n} bytes: the most that is accepted here is ${LIMIT_BYTES} bytes.`,
    )
  })

  it('with absurd tables is refused', () => {
    const DAMAGED = 'it is damaged, or made to harm. Make it again: qemu-img convert -O qcow2.'
    says(changed(20, [0, 0, 0, 63]), `Image x is a qcow2 image that has clusters of 2^63 bytes: ${DAMAGED}`)
    says(changed(36, [0xff, 0xff, 0xff, 0xff]), /has an L1 table of 4294967295 entries for a disk of 8388608 bytes/)
    says(changed(36, [0, 0, 0, 0]), /has an L1 table of 0 entries/)
    says(changed(40, [0, 0, 0xff, 0, 0, 0, 0, 0]), /has its L1 table outside the file/)
    says(changed(48, [0, 0, 0xff, 0, 0, 0, 0, 0]), /has its refcount table outside the file/)
    says(changed(56, [0, 0, 0xff, 0]), /or an absurd one/)
    says(changed(60, [0, 0xff, 0, 0]), /has 16711680 snapshots/)
    says(changed(100, [0, 0, 0, 3]), /has a header of 3 bytes/)
    says(changed(EXTENSIONS_AT, [1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff]), /has absurd header extensions/)
    says(changed(24, [0, 0, 0, 0, 0, 0, 0, 0]), /has a virtual disk of 0 bytes/)
    says(plain.subarray(0, 80), /ends within its header/)
    says(plain.subarray(0, 20), /has version 0/)
  })

  it('is judged without a crash, whatever its header has', () => {
    for (let at = 4; at < 160; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const damaged = Buffer.from(plain)
        damaged[at] = value
        try {
          assert.ok(check(damaged) > 0)
        } catch (error) {
          assert.equal((error as Error).name, 'ImageUnacceptable', `${at} = ${value}: ${error}`)
        }
      }
    }
  })
})
