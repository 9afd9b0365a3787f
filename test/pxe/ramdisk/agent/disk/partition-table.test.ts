/**
 * Partition tables on disks with large sectors, and tables that are not as they should be; the common ones are in
 * image/write-image.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import { writeConfigDrive } from '../../../../../pxe/ramdisk/agent/disk/config-drive-partition.ts'
import { type DiskFile, openDisk, readAt, writeAt } from '../../../../../pxe/ramdisk/agent/disk/disk-file.ts'
import { eraseMetadata } from '../../../../../pxe/ramdisk/agent/disk/erase-metadata.ts'
import { readGpt, writeGpt } from '../../../../../pxe/ramdisk/agent/disk/gpt.ts'
import { readPartitionTable } from '../../../../../pxe/ramdisk/agent/disk/partition-table.ts'
import { diskImage } from '../disk-images.ts'
import { MIB } from '../fake-machine.ts'
import { inFolder } from '../quick-folder.ts'

const SECTOR_4K = 4096

/** On a disk of this size, which begins with these bytes. */
function onDisk<T>(
  content: Buffer,
  { size_bytes = 256 * MIB, sector_bytes = 512 },
  work: (disk: DiskFile) => Promise<T>,
): Promise<T> {
  return inFolder('table-', async (folder) => {
    const file = join(folder, 'disk')
    await writeFile(file, content)
    await truncate(file, size_bytes)
    await using disk = await openDisk(folder, { name: 'disk', size: size_bytes, logical_sectors: sector_bytes })
    return await work(disk)
  })
}

/**
 * The first sectors of a disk whose sectors have 4 KiB: one partition from the first to the second MiB, room for 128.
 */
function gpt4k(): Buffer {
  const content = Buffer.alloc(6 * SECTOR_4K)
  content.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], 446)
  content.writeUInt16LE(0xaa55, 510)
  const entries = content.subarray(2 * SECTOR_4K)
  entries.fill(0x11, 0, 32)
  entries.writeBigUInt64LE(256n, 32)
  entries.writeBigUInt64LE(511n, 40)
  const header = content.subarray(SECTOR_4K, SECTOR_4K + 92)
  header.write('EFI PART\0\0\x01\0\x5c\0\0\0', 'latin1')
  header.writeBigUInt64LE(1n, 24)
  header.writeBigUInt64LE(1023n, 32)
  header.writeBigUInt64LE(6n, 40)
  header.writeBigUInt64LE(1018n, 48)
  header.write(randomUUID().replaceAll('-', ''), 56, 'hex')
  header.writeBigUInt64LE(2n, 72)
  header.writeUInt32LE(128, 80)
  header.writeUInt32LE(128, 84)
  header.writeUInt32LE(crc32(entries), 88)
  header.writeUInt32LE(crc32(header), 16)
  return content
}

describe('a partition table', () => {
  let image: Buffer
  before(async () => {
    image = await diskImage('gpt')
  })

  it('of 4 KiB sectors is stretched, and gets its config drive as last partition', async () => {
    await onDisk(gpt4k(), { sector_bytes: SECTOR_4K }, async (disk) => {
      const number = await writeConfigDrive(disk, Buffer.from('config drive'))

      const table = await readPartitionTable(disk)
      const sectors = disk.size_bytes / SECTOR_4K
      const end_bytes = (sectors - 5) * SECTOR_4K
      assert.equal(number, 2)
      assert.deepEqual(table?.partitions, [
        { number: 1, start_bytes: MIB, end_bytes: 2 * MIB },
        { number: 2, start_bytes: 191 * MIB, end_bytes },
      ])
      assert.equal((await readAt(disk, 191 * MIB, 12)).toString(), 'config drive')
      const copy = await readAt(disk, (sectors - 1) * SECTOR_4K, 92)
      assert.equal(copy.toString('latin1', 0, 8), 'EFI PART')
      assert.equal(copy.readBigUInt64LE(72), BigInt(sectors - 5))
    })
  })

  it('made for other sectors than those of the disk is an error that says so', async () => {
    await onDisk(image, { sector_bytes: SECTOR_4K }, async (disk) => {
      await assert.rejects(readPartitionTable(disk), {
        message: `the image was made for sectors of 512 bytes, and ${disk.path} has sectors of 4096`,
      })
    })
  })

  it('with a protective MBR alone is an error', async () => {
    await onDisk(image.subarray(0, 512), {}, async (disk) => {
      await assert.rejects(readPartitionTable(disk), {
        message: `${disk.path} has a protective MBR, but no GPT behind it`,
      })
    })
  })

  it('is not seen in the boot sector of a file system', async () => {
    const bootSector = Buffer.alloc(512, 0x20)
    bootSector.writeUInt16LE(0xaa55, 510)

    assert.equal(await onDisk(bootSector, {}, readPartitionTable), undefined)
    assert.equal(await onDisk(Buffer.alloc(0), {}, readPartitionTable), undefined)
  })

  it('whose entries are of no sane size is an error', async () => {
    await onDisk(image, {}, async (disk) => {
      const header = await readAt(disk, 512, 92)
      header.writeUInt32LE(0xffffffff, 80)
      header.writeUInt32LE(0, 16)
      header.writeUInt32LE(crc32(header), 16)
      await writeAt(disk, 512, header)

      await assert.rejects(readGpt(disk), { message: `the GPT of ${disk.path} has entries of no sane size` })
    })
  })

  for (const header_bytes of [92, 128, 512]) {
    it(`with a header of ${header_bytes} bytes is whole, and stays so when it is stretched`, async () => {
      const longer = Buffer.from(image)
      longer.writeUInt32LE(header_bytes, 512 + 12)
      longer.fill(0x5a, 512 + 92, 512 + header_bytes)
      longer.writeUInt32LE(0, 512 + 16)
      longer.writeUInt32LE(crc32(longer.subarray(512, 512 + header_bytes)), 512 + 16)
      await onDisk(longer, {}, async (disk) => {
        const gpt = await readGpt(disk)
        assert.equal(gpt?.header.length, header_bytes)

        await writeGpt(disk, gpt)

        assert.deepEqual((await readGpt(disk))?.header.subarray(92), longer.subarray(512 + 92, 512 + header_bytes))
        const copy = await readAt(disk, disk.size_bytes - 512, header_bytes)
        const sum = copy.readUInt32LE(16)
        copy.writeUInt32LE(0, 16)
        assert.equal(sum, crc32(copy))
      })
    })
  }

  for (const header_bytes of [0, 91, 513]) {
    it(`with a header that says it has ${header_bytes} bytes is an error`, async () => {
      const odd = Buffer.from(image)
      odd.writeUInt32LE(header_bytes, 512 + 12)
      await onDisk(odd, {}, async (disk) => {
        await assert.rejects(readGpt(disk), {
          message: `the GPT header of ${disk.path} is damaged: it says that it has ${header_bytes} bytes, and 92 to 512 bytes are possible`,
        })
      })
    })
  }

  it('leaves a hybrid MBR as somebody made it', async () => {
    const hybrid = Buffer.from(image)
    hybrid.set([0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0], 462)
    await onDisk(hybrid, {}, async (disk) => {
      const gpt = await readGpt(disk)
      assert.ok(gpt)

      await writeGpt(disk, gpt)

      assert.ok((await readAt(disk, 0, 512)).equals(hybrid.subarray(0, 512)))
    })
  })

  it('of four primary partitions has no place for a config drive', async () => {
    const full = await diskImage('dos')
    for (const at of [478, 494]) full.set([0, 0, 0, 0, 0x83, 0, 0, 0, 0, 0x28, 0, 0, 1, 0, 0, 0], at)
    await onDisk(full, {}, async (disk) => {
      await assert.rejects(writeConfigDrive(disk, Buffer.from('x')), {
        kind: 'DeploymentError',
        details: `Failed to create config drive on disk ${disk.path}: the MBR has four primary partitions already.`,
      })
    })
  })
})

describe('erasing the metadata of a disk', () => {
  it('takes its tables and what stands at both ends of the disk and of each partition', async () => {
    const image = await diskImage('gpt')
    const old = Buffer.alloc(16 * MIB, 0xaa)
    image.copy(old)
    await onDisk(old, { size_bytes: old.length }, async (disk) => {
      await eraseMetadata(disk)

      assert.equal(await readPartitionTable(disk), undefined)
      const zeros = Buffer.alloc(MIB)
      for (const start of [0, MIB, 2 * MIB, 3 * MIB, 15 * MIB]) {
        assert.ok((await readAt(disk, start, MIB)).equals(zeros), `at ${start}`)
      }
      assert.ok((await readAt(disk, 8 * MIB, MIB)).equals(Buffer.alloc(MIB, 0xaa)))
    })
  })
})
