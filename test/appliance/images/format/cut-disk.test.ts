/** A disk that ends before its partitions do is told before it is written. Partition tables by the real sfdisk. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { refuseCutDisk } from '../../../../appliance/images/format/cut-disk.ts'
import { HEAD_BYTES } from '../../../../appliance/images/format/image-format.ts'
import { file, startUpstream } from '../image-upstream.ts'
import { digest, openImages, temporaryFolder } from '../images-in-folder.ts'
import { layOut } from './bootable-file.ts'

const MIB = 1024 ** 2

describe('a raw disk', () => {
  const folder = temporaryFolder()
  const path = join(folder, 'disk.raw')
  after(() => rmSync(folder, { recursive: true }))
  const check = (size_bytes: number) => refuseCutDisk(readFileSync(path).subarray(0, HEAD_BYTES), size_bytes, 'x')
  const label = (script: string) => {
    writeFileSync(path, '')
    truncateSync(path, 64 * MIB)
    execFileSync('/usr/sbin/sfdisk', ['--quiet', path], { input: script })
  }

  it('with a GPT is refused when it ends before its last partition does', async () => {
    await layOut(path)
    const end = endOfGpt(path)

    check(64 * MIB)
    check(end)
    assert.throws(() => check(end - 1), {
      name: 'ImageUnacceptable',
      message: `Image x is cut short: its partitions reach to byte ${end}, and the disk in it ends at byte ${end - 1}. Copy it again from where it is whole, and state that file's checksum.`,
    })
  })

  it('with an MBR is refused when it ends before its last partition begins', () => {
    label('label: dos\n\nstart=1MiB, size=8MiB, type=83\nstart=40MiB, size=8MiB, type=83\n')

    check(64 * MIB)
    check(41 * MIB)
    assert.throws(() => check(40 * MIB), /cut short: its partitions reach to byte 41943552, /)
  })

  it('that is a file system alone, or nothing known, is let through', () => {
    writeFileSync(path, '')
    truncateSync(path, 8 * MIB)
    execFileSync('/usr/sbin/mkfs.vfat', [path])
    check(MIB)

    writeFileSync(path, Buffer.alloc(MIB, 0xff))
    check(MIB)
    for (const size of [0, 1, 511, 512, 700, 5000]) refuseCutDisk(Buffer.alloc(size, 'EFI PART'), size, 'x')
  })
})

/** As sfdisk tells it. */
function endOfGpt(path: string): number {
  const { partitiontable } = JSON.parse(execFileSync('/usr/sbin/sfdisk', ['--json', path]).toString())
  const ends = partitiontable.partitions.map(({ start, size }: { start: number; size: number }) => (start + size) * 512)
  return Math.max(...ends)
}

describe('a cut disk', () => {
  it('is refused by name from a file, inside of a good qcow2, and from a server that the agent would ask', async () => {
    await using box = await openImages()
    const path = join(box.folder, 'cut.raw')
    await layOut(path)
    truncateSync(path, 32 * MIB)
    const qcow2 = join(box.folder, 'cut.qcow2')
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', path, qcow2])
    const content = readFileSync(path)
    await using upstream = await startUpstream({ '/cut.raw': file(content) })
    const handedOn = { image_source: `${upstream.url}/cut.raw`, image_checksum: digest(content) }

    for (const fields of [{ image_source: `file://${path}` }, { image_source: `file://${qcow2}` }, handedOn]) {
      await assert.rejects(box.images.resolve(box.request(fields)), {
        name: 'ImageUnacceptable',
        message: new RegExp(`^Image ${fields.image_source} is cut short: .* ends at byte ${32 * MIB}\\.`),
      })
    }
  })
})
