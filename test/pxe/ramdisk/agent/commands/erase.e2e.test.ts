/** Erasing a real block device, a loop device: that one in use is left alone, a plain file cannot show. Needs root. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, open, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { MIB, makeMachine } from '../fake-machine.ts'
import { erase } from './erasing.ts'

const execute = promisify(execFile)
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
const run = (program: string, ...args: string[]) => execute(program, args, { env })
const SIZE = 64 * MIB

describe('a block device with a file system', () => {
  let folder: string
  let device: string
  let mounted: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'erase-'))
    mounted = await mkdtemp(join(tmpdir(), 'mounted-'))
    const file = join(folder, 'disk')
    await writeFile(file, '')
    await truncate(file, SIZE)
    device = (await run('losetup', '--find', '--show', file)).stdout.trim()
    await run('mkfs.ext4', '-q', device)
  })
  after(async () => {
    await run('losetup', '--detach', device)
    await rm(folder, { recursive: true })
    await rm(mounted, { recursive: true })
  })

  async function machineWithIt() {
    const machine = await makeMachine({ disks: [{ name: 'vda', size_bytes: SIZE }] })
    await rm(machine.disk('vda'))
    await symlink(device, machine.disk('vda'))
    await symlink('/usr/sbin/blkdiscard', join(machine.root, 'usr/bin/blkdiscard'))
    return machine
  }

  it('is left alone by every step while it is mounted', async () => {
    await using machine = await machineWithIt()
    await run('mount', device, mounted)

    try {
      for (const [step, what] of [
        ['erase_devices_metadata', 'the metadata on '],
        ['erase_devices', ''],
        ['erase_devices_express', 'the metadata on '],
      ]) {
        await assert.rejects(erase(machine, String(step)), {
          details: `Failed to erase ${what}the device(s): "/dev/vda": it is in use (mounted, or part of a RAID or a volume that is active)`,
        })
      }
    } finally {
      await run('umount', mounted)
    }
    await run('e2fsck', '-fn', device)
  })

  for (const step of ['erase_devices_metadata', 'erase_devices', 'erase_devices_express']) {
    it(`has none after ${step}`, async () => {
      await using machine = await machineWithIt()
      await run('mkfs.ext4', '-qF', device)

      await erase(machine, step)

      const found = await run('wipefs', '--noheadings', device)
      assert.equal(found.stdout, '')
      if (step !== 'erase_devices') return
      await using file = await open(device)
      const { buffer } = await file.read(Buffer.alloc(SIZE, 0xff), 0, SIZE, 0)
      assert.ok(buffer.equals(Buffer.alloc(SIZE)))
    })
  }
})
