/** What a disk is overwritten with, and how a discard is judged: what stands there afterwards is read back. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DiskFile } from '../../../../../pxe/ramdisk/agent/disk/disk-file.ts'
import { randomPattern } from '../../../../../pxe/ramdisk/agent/disk/overwrite.ts'
import { markSamples } from '../../../../../pxe/ramdisk/agent/erase/samples.ts'
import type { Programs } from '../../../../../pxe/ramdisk/agent/programs.ts'
import { erase } from '../commands/erasing.ts'
import { type FakeMachine, MIB, makeMachine } from '../fake-machine.ts'

const SIZE = 16 * MIB
const ZEROED = Buffer.alloc(SIZE)

async function machineWith(blkdiscard = 'exit 1'): Promise<FakeMachine> {
  const machine = await makeMachine({
    disks: [{ name: 'vda', size_bytes: SIZE }],
    programs: { blkdiscard },
  })
  await machine.fill('vda', 0xaa, [[0, SIZE]])
  return machine
}

describe('a disk that cannot erase itself', () => {
  for (const [iterations, zeroize, words] of [
    [1, true, 'random data, then zeros'],
    [3, true, 'random data, 3 times, then zeros'],
    [0, true, 'zeros'],
    [1, false, 'random data'],
  ] as const)
    it(`is overwritten with ${words}`, async () => {
      await using machine = await machineWith()

      const wishes = { agent_erase_devices_iterations: iterations, agent_erase_devices_zeroize: zeroize }
      const told = await erase(machine, 'erase_devices', {}, wishes)

      const found = await machine.read('vda', 0, SIZE)
      assert.equal(found.equals(ZEROED), zeroize)
      assert.ok(!found.includes(Buffer.alloc(512, 0xaa)))
      assert.ok((await machine.console()).includes(`Overwriting /dev/vda with ${words}: it knows no secure discard`))
      assert.deepEqual(told.at(-1), { note: 'erasing disks', done: SIZE, total: SIZE, unit: 'bytes' })
    })

  it('is not called erased when it would be overwritten with nothing', async () => {
    await using machine = await machineWith()

    const wishes = { agent_erase_devices_iterations: 0, agent_erase_devices_zeroize: false }
    await assert.rejects(erase(machine, 'erase_devices', {}, wishes), {
      details:
        'Failed to erase the device(s): "/dev/vda": it would be overwritten with nothing: [deploy] shred_random_overwrite_iterations is 0, and shred_final_overwrite_with_zeros is False',
    })
  })

  it('is erased by a discard that leaves zeros, where that is wished for', async () => {
    await using machine = await machineWith(
      'case "$*" in *--secure*) exit 1;; esac; truncate -s 0 "$2"; truncate -s 16M "$2"',
    )

    await erase(machine, 'erase_devices', {}, { agent_enable_discard_erase: true })

    assert.match(await machine.console(), /Erased \/dev\/vda by discard; 64 places of it were read back/)
  })

  it('is overwritten where its discards leave what was there', async () => {
    await using machine = await machineWith('')

    await erase(machine, 'erase_devices', {}, { agent_enable_discard_erase: true })

    const shown = await machine.console()
    assert.match(shown, /\/dev\/vda: its secure discard has ended, but it still holds data at 0\.0 GiB/)
    assert.match(shown, /\/dev\/vda: its discard has ended, but it still holds data at 0\.0 GiB/)
    assert.ok((await machine.read('vda', 0, SIZE)).equals(ZEROED))
  })
})

describe('random data', () => {
  it('is the same at a place, however it is asked for, and another one for each pass', () => {
    const pattern = randomPattern()

    const whole = pattern(4 * MIB, 4 * MIB)

    assert.ok(pattern(5 * MIB, 4096).equals(whole.subarray(MIB, MIB + 4096)))
    assert.ok(!randomPattern()(4 * MIB, 4096).equals(whole.subarray(0, 4096)))
  })
})

/** In memory, with a fault at a place. */
function diskWith(size_bytes: number, fault: (at: number, content: Buffer) => Buffer | 'EIO'): DiskFile {
  const kept = Buffer.alloc(size_bytes)
  const file = {
    async write(content: Buffer, from: number, length: number, at: number) {
      const taken = fault(at, content.subarray(from, from + length))
      if (taken === 'EIO') throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })
      taken.copy(kept, at)
      return { bytesWritten: length }
    },
    async read(buffer: Buffer, from: number, length: number, at: number) {
      return { bytesRead: kept.copy(buffer, from, at, at + length) }
    },
    sync: async () => {},
  }
  return { file, path: '/dev/vda', size_bytes, sector_bytes: 512 } as unknown as DiskFile
}

describe('the places that are read back', () => {
  const programs = { run: async () => '' } satisfies Programs
  const honest = (_at: number, content: Buffer) => content

  for (const size of [512, 4096, 8192, 12_288, 100 * 1024, SIZE + 512])
    it(`are both ends and what lies between, of ${size} bytes`, async () => {
      const written: [number, number][] = []
      const disk = diskWith(size, (at, content) => {
        written.push([at, at + content.length])
        return content
      })

      const { count } = await markSamples(disk, programs)

      const places = written.sort((a, b) => a[0] - b[0])
      assert.equal(places[0]?.[0], 0)
      assert.equal(places.at(-1)?.[1], size)
      assert.equal(count, places.length)
      assert.ok(count === Math.min(64, Math.max(1, Math.floor(size / 4096))), `${count}`)
    })

  it('are found out on a disk whose size is a lie', async () => {
    const disk = diskWith(SIZE, (at, content) => (at < SIZE / 2 ? content : Buffer.alloc(content.length)))

    await assert.rejects(markSamples(disk, programs), {
      message: 'it does not keep what is written to it at 0.0 GiB: its size is a lie, or it is broken. Replace it',
    })
  })

  it('leave out those that the disk cannot write any more', async () => {
    const disk = diskWith(SIZE, (at, content) => (at === 0 ? 'EIO' : content))

    assert.equal((await markSamples(disk, programs)).count, 63)
  })

  it('tell that nothing was erased', async () => {
    const disk = diskWith(SIZE, honest)
    const samples = await markSamples(disk, programs)

    await assert.rejects(samples.assertGone(), { message: 'it still holds data at 0.0 GiB' })
    await assert.rejects(
      samples.assertHold((_at, length) => Buffer.alloc(length)),
      { message: 'it still holds data at 0.0 GiB' },
    )
  })
})
