/**
 * Disks that other machines may be using: what is found on them, and that nothing is written to any. Tables are made
 * by sfdisk.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { refuseShared } from '../../../../../pxe/ramdisk/agent/commands/guard.ts'
import { stepAgent } from '../../../../../pxe/ramdisk/agent/commands/layer-steps.ts'
import { standbyCommands } from '../../../../../pxe/ramdisk/agent/commands/standby.ts'
import { stepCommands } from '../../../../../pxe/ramdisk/agent/commands/steps.ts'
import { listDisks } from '../../../../../pxe/ramdisk/agent/hardware/disks.ts'
import { agentOn } from '../agent-context.ts'
import { type FakeMachine, GIB, MIB, makeMachine } from '../fake-machine.ts'
import { erase } from './erasing.ts'

const execute = promisify(execFile)
const KIB = 1024
const SIZE = 5 * GIB
/** vda is what is checked, and erased, first. */
const TWO = [
  { name: 'vda', size_bytes: SIZE },
  { name: 'vdb', size_bytes: SIZE },
]
const VMFS = 'AA31E02A-400F-11DB-9590-000C2911D1B8'
const GPFS = '37AFFC90-EF7D-4E96-91C3-2D7AE055B174'
const GFS2_MAGIC = Buffer.from('01161970', 'hex')

async function partition(machine: FakeMachine, name: string, script: string): Promise<void> {
  const options = { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } }
  const running = execute('sfdisk', ['--quiet', machine.disk(name)], options)
  running.child.stdin?.end(script)
  await running
}

/** The same table as a disk with sectors of 4096 bytes has it: sfdisk of Debian 12 makes none. */
async function spread(machine: FakeMachine, name: string, sectors: readonly number[]): Promise<void> {
  const [gptEntries, gptEntriesBytes] = [2 * 512, 128 * 128]
  const entries = await machine.read(name, gptEntries, gptEntriesBytes)
  const contents = await Promise.all(sectors.map((sector) => machine.read(name, sector * 512, 512)))
  await machine.fill(name, 0, [
    [512, MIB],
    ...sectors.slice(1).map((sector): [number, number] => [sector * 512, 512]),
    [SIZE - MIB, MIB],
  ])
  for (const [index, sector] of sectors.entries()) {
    await put(machine, name, sector * 4096, contents[index] ?? '')
  }
  if (sectors.includes(1)) await put(machine, name, 2 * 4096, entries)
}

async function put(machine: FakeMachine, name: string, position: number, content: Buffer | string): Promise<void> {
  await using file = await open(machine.disk(name), 'r+')
  await file.write(Buffer.from(content), 0, content.length, position)
}

const isUntouched = async (machine: FakeMachine, name: string) =>
  (await machine.read(name, 3 * MIB, MIB)).equals(Buffer.alloc(MIB, 0xaa))

const sentence = (what: string, disk = '/dev/vdb') =>
  `Protected ${what} located on device ${disk}. Other machines may be using it, so nothing was written to any disk. Detach it, or ` +
  'name it in properties/skip_block_devices of the node, and begin again. If it may go, set driver_info/wipe_special_filesystems ' +
  'of the node to true.'
const refusal = (what: string, disk?: string) => ({ kind: 'ProtectedDeviceError', details: sentence(what, disk) })

type Case = readonly [what: string, make: (machine: FakeMachine) => Promise<void>]
const table =
  (script: string, sectors: readonly number[] = []): Case[1] =>
  async (machine) => {
    await partition(machine, 'vdb', script)
    if (sectors.length > 0) await spread(machine, 'vdb', sectors)
  }
const signature =
  (position: number, content: Buffer | string): Case[1] =>
  (machine) =>
    put(machine, 'vdb', position, content)
const LOGICAL = 'label: dos\nstart=2048, size=8192, type=83\nstart=10240, type=5\nsize=2048, type=83\nsize=4096, type='
const signed =
  (script: string, position: number, content: Buffer | string): Case[1] =>
  async (machine) => {
    await partition(machine, 'vdb', script)
    await put(machine, 'vdb', position, content)
  }

/** Places of GFS2 and OCFS2 are those of what mkfs.gfs2 3.5.0 and mkfs.ocfs2 1.8.7 make, for every block size. */
const CASES: readonly Case[] = [
  ['VMware VMFS Partition (GPT) (partition 1)', table(`label: gpt\nsize=8192, type=${VMFS}\n`)],
  ['VMware VMFS Partition (GPT) (partition 3)', table(`label: gpt\nsize=8192\nsize=8192\ntype=${VMFS}\n`)],
  ['VMware VMFS Partition (GPT) (partition 1)', table(`label: gpt\nsize=1024, type=${VMFS}\n`, [0, 1])],
  ['IBM GPFS Partition (partition 2)', table(`label: gpt\nsize=8192\nsize=8192, type=${GPFS}\n`)],
  ['VMware VMFS Partition (MBR) (partition 1)', table('label: dos\nsize=8192, type=fb\n')],
  ['VMware VMFS Partition (MBR) (partition 6)', table(`${LOGICAL}fb\n`)],
  ['VMware VMFS Partition (MBR) (partition 6)', table(`${LOGICAL}fb\n`, [0, 10240, 14336])],
  ['Red Hat Global File System 2', signature(64 * KIB, GFS2_MAGIC)],
  [
    'Red Hat Global File System 2 (partition 2)',
    signed('label: gpt\nstart=2048, size=8192\nstart=10240, size=8192\n', 5 * MIB + 64 * KIB, GFS2_MAGIC),
  ],
  [
    'Red Hat Global File System 2 (partition 5)',
    signed('label: dos\nstart=10240, type=5\nstart=12288, size=4096, type=83\n', 6 * MIB + 64 * KIB, GFS2_MAGIC),
  ],
  ...[512, 1024, 2048, 4096].map(
    (block_bytes): Case => ['Oracle Cluster File System 2', signature(2 * block_bytes, 'OCFSV2')],
  ),
  [
    'Oracle Cluster File System 2 (partition 1)',
    signed('label: dos\nstart=2048, size=8192, type=83\n', MIB + 8 * KIB, 'OCFSV2'),
  ],
  ['Oracle Cluster File System', signature(8, 'OracleCFS')],
  ['Oracle ASM disk', signature(32, 'ORCLDISK')],
  ['VMware VMFS volume', signature(MIB, Buffer.from('0dd001c0', 'hex'))],
  ['VMware VMFS file system', signature(2 * MIB, Buffer.from('5ef1ab2f', 'hex'))],
]

describe('a disk that carries', () => {
  for (const [index, [what, make]] of CASES.entries()) {
    it(`${what} halts cleaning before anything is erased (${index + 1})`, async () => {
      await using machine = await makeMachine({ disks: TWO })
      await machine.fill('vda', 0xaa, [[3 * MIB, MIB]])
      await make(machine)

      await assert.rejects(erase(machine, 'erase_devices_metadata'), refusal(what))

      assert.ok(await isUntouched(machine, 'vda'))
      assert.deepEqual(
        (await machine.calls()).filter((call) => /rereadpt|blkdiscard/.test(call)),
        [],
      )
    })
  }

  it('such a partition in the copy of its table alone halts it, too', async () => {
    await using machine = await makeMachine({ disks: TWO })
    await partition(machine, 'vdb', `label: gpt\nsize=8192, type=${VMFS}\n`)
    await machine.fill('vdb', 0, [[0, MIB]])

    await assert.rejects(erase(machine, 'erase_devices_metadata'), refusal('VMware VMFS Partition (GPT) (partition 1)'))
  })

  it('a chain of logical partitions that bites its tail is read to an end', async () => {
    await using machine = await makeMachine({ disks: TWO })
    await partition(machine, 'vdb', 'label: dos\nstart=10240, type=5\nsize=2048, type=83\n')
    const link = await machine.read('vdb', 5 * MIB, 512)
    link.set([0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0], 462)
    await put(machine, 'vdb', 5 * MIB, link)

    await erase(machine, 'erase_devices_metadata')
  })
})

describe('a cluster file system', () => {
  const shared = async () => {
    const machine = await makeMachine({ disks: TWO })
    for (const { name } of TWO) await machine.fill(name, 0xaa, [[3 * MIB, MIB]])
    await put(machine, 'vdb', 64 * KIB, GFS2_MAGIC)
    return machine
  }
  const GFS2 = 'Red Hat Global File System 2'
  const isErased = async (machine: FakeMachine) => !(await isUntouched(machine, 'vda'))

  for (const step of ['erase_devices', 'erase_devices_express']) {
    it(`halts ${step}, too`, async () => {
      await using machine = await shared()

      await assert.rejects(erase(machine, step), refusal(GFS2))

      assert.ok(await isUntouched(machine, 'vda'))
    })
  }

  it('halts the deploy step erase_devices_metadata, too', async () => {
    await using machine = await shared()
    const given = { node: { uuid: '5f2c' }, step: { interface: 'deploy', step: 'erase_devices_metadata' } }

    const run = stepCommands(agentOn(machine), 'deploy').execute_deploy_step?.run(given, { progress: () => {} })

    await assert.rejects(async () => run, refusal(GFS2))
    assert.ok(await isUntouched(machine, 'vda'))
  })

  it('refuses an image in the same words, and so it does a step of a layer', async () => {
    await using machine = await shared()
    const agent = { ...agentOn(machine), node: { properties: { root_device: { name: '/dev/vdb' } } } }
    const image_info = {
      id: 'debian',
      urls: ['http://127.0.0.1:1/'],
      os_hash_algo: 'sha256',
      os_hash_value: 'ab'.repeat(32),
    }

    const run = standbyCommands(agent).prepare_image?.run({ image_info }, { progress: () => {} })

    await assert.rejects(async () => run, refusal(GFS2))
    await assert.rejects(stepAgent(agent).rootDevice(), refusal(GFS2))
    assert.ok(await isUntouched(machine, 'vdb'))
  })

  it('on a disk that the node keeps from us, or that is read-only, hinders nobody', async () => {
    await using machine = await shared()

    await erase(machine, 'erase_devices_metadata', { skip_block_devices: [{ name: '/dev/vdb' }] })

    assert.ok(await isErased(machine))
    assert.ok(await isUntouched(machine, 'vdb'))
  })

  it('goes when the node or the kernel parameters say so', async () => {
    for (const [driver_info, parameters] of [
      [{ wipe_special_filesystems: true }, undefined],
      [{ wipe_special_filesystems: 'True' }, undefined],
      [{}, 'ipa-guard-special-filesystems=False'],
    ] as const) {
      await using machine = await shared()
      const agent = { ...agentOn(machine, parameters), node: { driver_info } }

      await refuseShared(agent, await listDisks(machine.root))
    }
  })

  it('stays when what they say cannot be read', async () => {
    for (const [driver_info, parameters] of [
      [{ wipe_special_filesystems: 'perhaps' }, undefined],
      [{ wipe_special_filesystems: false }, undefined],
      [{}, 'ipa-guard-special-filesystems=never'],
    ] as const) {
      await using machine = await shared()
      const agent = { ...agentOn(machine, parameters), node: { driver_info } }

      await assert.rejects(refuseShared(agent, await listDisks(machine.root)), refusal(GFS2))
    }
  })

  it('may be on a disk that cannot be read: then nothing is erased', async () => {
    await using machine = await makeMachine({ disks: TWO })
    await machine.fill('vda', 0xaa, [[3 * MIB, MIB]])
    await rm(machine.disk('vdb'))
    await mkdir(machine.disk('vdb'))

    await assert.rejects(erase(machine, 'erase_devices_metadata'), {
      kind: 'ProtectedDeviceError',
      details:
        'Device /dev/vdb cannot be read (EISDIR: illegal operation on a directory, read), so nobody knows whether other machines use ' +
        'it, and nothing was written to any disk. Take /dev/vdb out, or name it in properties/skip_block_devices of the node, and ' +
        'begin again.',
    })
    assert.ok(await isUntouched(machine, 'vda'))
  })
})

describe('a software RAID that properties/skip_block_devices names', () => {
  // Where mdadm puts versions 1.1, 1.2 and 1.0.
  for (const place of [0, 4 * KIB, SIZE - 8 * KIB]) {
    it(`keeps its disks, with its superblock at ${place}`, async () => {
      await using machine = await makeMachine({ disks: TWO })
      for (const { name } of TWO) {
        await machine.fill(name, 0xaa, [[3 * MIB, MIB]])
        const superblock = Buffer.alloc(256)
        superblock.writeUInt32LE(0xa92b4efc)
        superblock.write(name === 'vdb' ? 'host1:root' : 'host1:other', 32)
        await put(machine, name, place, superblock)
      }

      await erase(machine, 'erase_devices_metadata', { skip_block_devices: [{ volume_name: 'root' }] })

      assert.ok(!(await isUntouched(machine, 'vda')))
      assert.ok(await isUntouched(machine, 'vdb'))
    })
  }
})

describe('properties/skip_block_devices that nobody can read', () => {
  for (const [skip, why] of [
    [{ name: '/dev/vda' }, 'skip_block_devices is {"name":"/dev/vda"}, and a list of objects of hints is expected'],
    [['/dev/vda'], 'skip_block_devices[0] is "/dev/vda", and a list of objects of hints is expected'],
    ['/dev/vda', 'skip_block_devices is "/dev/vda", and a list of objects of hints is expected'],
    [[{}], 'skip_block_devices[0] is {}, and a list of objects of hints is expected'],
  ] as const) {
    it(`has nothing erased and nothing written: ${JSON.stringify(skip)}`, async () => {
      await using machine = await makeMachine({ disks: TWO })
      await machine.fill('vda', 0xaa, [[3 * MIB, MIB]])
      const details =
        'properties/skip_block_devices says which disks are not to be touched, and nobody can read it, so none is touched: ' +
        `${why}, e.g. [{"name": "/dev/vda"}].`
      const agent = { ...agentOn(machine, ''), node: { properties: { skip_block_devices: skip } } }

      await assert.rejects(erase(machine, 'erase_devices_metadata', { skip_block_devices: skip }), { details })
      await assert.rejects(stepAgent(agent).rootDevice(), { details })

      assert.ok(await isUntouched(machine, 'vda'))
    })
  }
})
