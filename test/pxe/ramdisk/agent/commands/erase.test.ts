import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { timeLeft } from '../../../../../pxe/ramdisk/agent/commands/erasure.ts'
import type { DiskFile } from '../../../../../pxe/ramdisk/agent/disk/disk-file.ts'
import { overwrite } from '../../../../../pxe/ramdisk/agent/disk/overwrite.ts'
import { type FakeMachine, MIB, makeMachine } from '../fake-machine.ts'
import { erase } from './erasing.ts'

const SIZE = 64 * MIB
const TWO = [
  { name: 'vda', size_bytes: SIZE },
  { name: 'vdb', size_bytes: SIZE },
]
/** Logs its call, as all programs of the machine do. */
async function withDiscard(machine: FakeMachine, body = ''): Promise<void> {
  const script = `#!/bin/sh\necho "blkdiscard $*" >>${machine.root}/run/calls.log\n${body}\n`
  await writeFile(join(machine.root, 'usr/bin/blkdiscard'), script, { mode: 0o755 })
}
const isZero = async (machine: FakeMachine, name: string, start: number, length: number) =>
  (await machine.read(name, start, length)).equals(Buffer.alloc(length))
const isOld = async (machine: FakeMachine, name: string, start: number, length: number) =>
  (await machine.read(name, start, length)).equals(Buffer.alloc(length, 0xaa))

describe('erase_devices_metadata', () => {
  it('takes what stands at both ends of the disk and of each partition that the kernel knows', async () => {
    await using machine = await makeMachine({ disks: TWO })
    await machine.fill('vda', 0xaa, [[0, SIZE]])
    const folder = join(machine.root, 'sys/block/vda/vda5')
    await mkdir(folder)
    for (const [name, value] of [
      ['partition', 5],
      ['start', (20 * MIB) / 512],
      ['size', (20 * MIB) / 512],
    ] as const) {
      await writeFile(join(folder, name), `${value}\n`)
    }

    await erase(machine, 'erase_devices_metadata')

    for (const start of [0, 3, 20, 23, 39, 63].map((mib) => mib * MIB)) {
      assert.ok(await isZero(machine, 'vda', start, MIB), `at ${start / MIB} MiB`)
    }
    assert.ok(await isOld(machine, 'vda', 25 * MIB, 14 * MIB))
    assert.ok((await machine.calls()).includes(`blockdev --rereadpt ${machine.disk('vda')}`))
  })

  it('takes the keys of an encrypted disk', async () => {
    await using machine = await makeMachine({ disks: TWO })
    await machine.fill('vda', 0xaa, [[0, SIZE]])
    await machine.fill('vda', 0, [[0, 1]])
    await writeFile(machine.disk('vda'), Buffer.from('LUKS\xba\xbe', 'latin1'), { flag: 'r+' })

    await erase(machine, 'erase_devices_metadata')

    assert.ok(await isZero(machine, 'vda', 0, 16 * MIB))
    assert.ok(await isOld(machine, 'vda', 16 * MIB, MIB))
  })

  it('leaves read-only disks, and those that the node keeps from it', async () => {
    await using machine = await makeMachine({ disks: TWO.map((disk) => ({ ...disk, read_only: disk.name === 'vda' })) })
    for (const { name } of TWO) await machine.fill(name, 0xaa, [[0, MIB]])

    await erase(machine, 'erase_devices_metadata', { skip_block_devices: [{ name: '/dev/vdb' }] })

    for (const { name } of TWO) assert.ok(await isOld(machine, name, 0, MIB), name)
  })

  for (const at of [43, 71])
    it(`leaves the medium by which a BMC hands over configuration, and no disk that only has its label (at ${at})`, async () => {
      const disks = [
        { name: 'sda', size_bytes: 2 * MIB, bus: 'usb' },
        { name: 'sdb', size_bytes: 2 * MIB, bus: 'sata' },
        { name: 'sdc', size_bytes: 128 * MIB, bus: 'usb' },
      ] as const
      await using machine = await makeMachine({ disks })
      for (const { name } of disks) {
        const sector = Buffer.alloc(512, 0xaa)
        sector.write('ir-vfd-dev ', at, 'latin1')
        await writeFile(machine.disk(name), sector, { flag: 'r+' })
      }

      await erase(machine, 'erase_devices_metadata')

      assert.ok(await isOld(machine, 'sda', 0, 40))
      for (const name of ['sdb', 'sdc']) assert.ok(await isZero(machine, name, 0, 512), name)
    })

  it('tells what is wrong with a disk, and erases the others', async () => {
    await using machine = await makeMachine({ disks: TWO })
    await machine.fill('vdb', 0xaa, [[0, MIB]])
    await rm(machine.disk('vda'))

    await assert.rejects(erase(machine, 'erase_devices_metadata'), {
      kind: 'BlockDeviceEraseError',
      details: 'Failed to erase the metadata on the device(s): "/dev/vda": it is gone',
    })
    assert.ok(await isZero(machine, 'vdb', 0, MIB))
  })

  it('has nothing to do on a machine without disks', async () => {
    await using machine = await makeMachine({ disks: [] })

    assert.deepEqual(await erase(machine, 'erase_devices_metadata'), [
      { note: 'erasing metadata', done: 0, total: 0, unit: 'steps' },
    ])
    assert.ok(
      (await machine.console()).includes('There is no disk that this kernel knows, or may erase: nothing is erased.'),
    )
  })
})

describe('erase_devices', () => {
  it('overwrites all disks with zeros where there is no secure discard, and tells how far it is', async () => {
    await using machine = await makeMachine({ disks: TWO })
    for (const { name } of TWO) await machine.fill(name, 0xaa, [[0, SIZE]])
    await withDiscard(machine, 'exit 1')

    const told = await erase(machine, 'erase_devices')

    for (const { name } of TWO) assert.ok(await isZero(machine, name, 0, SIZE), name)
    assert.deepEqual(told[0], { note: 'erasing disks', done: 0, total: 2 * SIZE, unit: 'bytes' })
    assert.deepEqual(told.at(-1), { note: 'erasing disks', done: 2 * SIZE, total: 2 * SIZE, unit: 'bytes' })
    assert.ok((await machine.console()).includes('Overwriting /dev/vda with zeros: it knows no secure discard\r\n'))
  })

  it('leaves the work to the disk where that has a secure discard', async () => {
    await using machine = await makeMachine({ disks: TWO.slice(0, 1) })
    await machine.fill('vda', 0xaa, [[0, SIZE]])
    await withDiscard(machine, `truncate -s 0 ${machine.disk('vda')}; truncate -s ${SIZE} ${machine.disk('vda')}`)

    const told = await erase(machine, 'erase_devices')

    assert.ok((await machine.calls()).includes(`blkdiscard --force --secure ${machine.disk('vda')}`))
    assert.equal(told.at(-1)?.done, SIZE)
    // What such a disk reads afterwards is not said anywhere: its ends are zeros in any case.
    assert.ok(await isZero(machine, 'vda', 0, MIB))
  })

  it('does not pass over a read-only disk in silence: its data stays', async () => {
    await using machine = await makeMachine({ disks: [{ name: 'vda', size_bytes: SIZE, read_only: true }] })

    await assert.rejects(erase(machine, 'erase_devices'), {
      kind: 'BlockDeviceEraseError',
      details:
        'Failed to erase the device(s): "/dev/vda": it is read-only, so its data stays. Take it out, or name it in properties/skip_block_devices',
    })
  })

  it('passes over it when the appliance says so', async () => {
    await using machine = await makeMachine({ disks: [{ name: 'vda', size_bytes: SIZE, read_only: true }] })
    await machine.fill('vda', 0xaa, [[0, MIB]])

    const wishes = { agent_erase_skip_read_only: true, disk_erasure_concurrency: 'many' }
    const told = await erase(machine, 'erase_devices', {}, wishes)

    assert.equal(told.at(-1)?.done, SIZE)
    assert.ok(await isOld(machine, 'vda', 0, MIB))
  })

  it('goes on beyond places that a disk cannot write any more, and says that data may be left', async () => {
    const written: number[] = []
    const file = {
      async write(_zeros: Buffer, _offset: number, length: number, position: number) {
        if (position === 4 * MIB) throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })
        written.push(position)
        return { bytesWritten: length }
      },
      datasync: async () => {},
    }
    const disk = { file, path: '/dev/vda', size_bytes: 12 * MIB, sector_bytes: 512 } as unknown as DiskFile

    await assert.rejects(
      overwrite(disk, () => {}),
      {
        message:
          'it could not be overwritten everywhere (1 failures, the first: EIO: i/o error, write at 0.0 GiB), so data may be left on it. Replace it',
      },
    )
    assert.deepEqual(written, [0, 8 * MIB])
  })
})

describe('erase_devices_express', () => {
  for (const [how, body] of [
    ['discards the disks', ''],
    ['does without a discard where a disk has none', 'exit 1'],
  ] as const) {
    it(`${how}, and erases their metadata`, async () => {
      await using machine = await makeMachine({ disks: TWO.slice(0, 1) })
      await machine.fill('vda', 0xaa, [[0, SIZE]])
      await withDiscard(machine, body)

      await erase(machine, 'erase_devices_express')

      assert.ok((await machine.calls()).includes(`blkdiscard --force ${machine.disk('vda')}`))
      assert.ok(await isZero(machine, 'vda', 0, 4 * MIB))
      assert.ok(await isZero(machine, 'vda', SIZE - MIB, MIB))
    })
  }
})

describe('time left', () => {
  for (const [passed_s, done, total, text] of [
    [5, 50, 100, ''],
    [60, 0, 100, ''],
    [60, 100, 100, ''],
    [60, 90, 100, 'less than a minute left'],
    [60, 20, 100, 'about 4 min left'],
    [600, 20, 100, 'about 40 min left'],
    [3600, 10, 100, 'about 9 h left'],
  ] as const) {
    it(`is "${text}" after ${passed_s} s with ${done} of ${total}`, () => {
      assert.equal(timeLeft(passed_s, done, total), text)
    })
  }
})
