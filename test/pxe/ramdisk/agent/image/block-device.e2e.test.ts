/** write_image on a real block device, a loop device: what a plain file cannot show. Needs root. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { mkdtemp, open, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { writeImage } from '../../../../../pxe/ramdisk/agent/image/write-image.ts'
import { diskImage } from '../disk-images.ts'
import { MIB, makeMachine, writeTask } from '../fake-machine.ts'
import { serve, sha256, startImageServer } from '../image-server.ts'

const execute = promisify(execFile)
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
const SIZE = 64 * MIB
const OWN = 34 * 512

describe('write_image on a block device', () => {
  let folder: string
  let device: string
  let image: Buffer

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'block-'))
    const file = join(folder, 'disk')
    await writeFile(file, '')
    await truncate(file, SIZE)
    device = (await execute('losetup', ['--find', '--show', file], { env })).stdout.trim()
    // Its length is no multiple of what the writer takes as a run of zeros.
    image = Buffer.concat([await diskImage('gpt'), Buffer.alloc(512 * 3)])
  })
  beforeEach(async () => {
    await using file = await open(device, 'r+')
    await file.write(Buffer.alloc(16 * MIB, 0xaa), 0, 16 * MIB, 0)
    await file.sync()
  })
  after(async () => {
    await execute('losetup', ['--detach', device], { env })
    await rm(folder, { recursive: true })
  })

  /** A machine whose disk it is, and its task to write the image. */
  async function scene() {
    const machine = await makeMachine({ disks: [{ name: 'vda', size_bytes: SIZE }] })
    await rm(machine.disk('vda'))
    await symlink(device, machine.disk('vda'))
    const server = await startImageServer()
    server.on('/a.raw', serve(image))
    const os_hash_value = sha256(image)
    const task = await writeTask(machine, {
      id: 'a',
      urls: [`${server.url}/a.raw`],
      os_hash_algo: 'sha256',
      os_hash_value,
    })
    return {
      machine,
      task,
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]()
        await machine[Symbol.asyncDispose]()
      },
    }
  }

  it('discards what the image covers, writes past the page cache, and leaves nothing of the old system', async () => {
    await using at = await scene()

    await writeImage(at.task)

    const found = await at.machine.read('vda', OWN, image.length - 2 * OWN)
    assert.ok(found.equals(image.subarray(OWN, image.length - OWN)))
    assert.match(await at.machine.console(), /Image written and verified: 6 MiB in [\d.]+ s, 1 MiB of it data/)
  })

  it('refuses a disk in use, and does not touch it', async () => {
    await using _holder = await open(device, constants.O_RDONLY | constants.O_EXCL)
    await using at = await scene()

    await assert.rejects(writeImage(at.task), {
      kind: 'ImageWriteError',
      details: 'Writing image to device /dev/vda failed: it is in use (mounted, or part of a RAID).',
    })

    assert.ok((await at.machine.read('vda', 0, 16 * MIB)).equals(Buffer.alloc(16 * MIB, 0xaa)))
  })
})
