/** Partition images by our playbooks, on a loop device. Needs root; booted ones: test/e2e/ansible-own.e2e.test.ts. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { serve, sha256, startImageServer } from '../../pxe/ramdisk/agent/image-server.ts'
import { run } from '../../rack/run-program.ts'
import { playbookRig } from './playbook-rig.ts'

type Options = { preserve?: boolean; ephemeral_mib?: number; label?: 'gpt' | 'msdos'; root_mib?: number }

/** In Ironic's shape, as the plugin makes it. */
function partitionInfo({ preserve = false, ephemeral_mib = 32, label = 'gpt', root_mib = 64 }: Options) {
  const partitions: Record<string, object> = {}
  let end = 1
  const add = (name: string, size: number) => {
    partitions[name] = {
      number: Object.keys(partitions).length + 1,
      part_start: `${end}MiB`,
      part_end: `${end + size}MiB`,
    }
    end += size
  }
  if (label === 'gpt') add('bios', 1)
  add('ephemeral', ephemeral_mib)
  add('swap', 16)
  add('root', root_mib)
  return { label, partitions, ephemeral_format: 'ext4', preserve_ephemeral: preserve ? 'yes' : 'no' }
}

describe('deploy.yaml with a partition image', { timeout: 600_000 }, () => {
  let folder: string
  let device: string
  let image: Buffer

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'partitions-'))
    await mkdir(join(folder, 'root'))
    await writeFile(join(folder, 'root/hello'), 'hello')
    await run('truncate', ['-s', '256M', join(folder, 'disk')])
    device = (await run('losetup', ['--find', '--show', join(folder, 'disk')])).trim()
    await run('truncate', ['-s', '24M', join(folder, 'root.ext4')])
    await run('mke2fs', ['-q', '-t', 'ext4', '-d', join(folder, 'root'), join(folder, 'root.ext4')])
    image = await readFile(join(folder, 'root.ext4'))
  })
  after(async () => {
    await run('partx', ['--delete', device]).catch(() => {})
    await run('losetup', ['--detach', device])
    await rm(folder, { recursive: true })
  })

  /** Without its boot loader, unless that is asked for. */
  async function deploy(options: Options, o = { boots: false }): Promise<string> {
    await using rig = await playbookRig()
    await using server = await startImageServer()
    server.on('/root', serve(image))
    if (!o.boots) {
      await mkdir(join(rig.machine.root, 'site/roles/configure/tasks'), { recursive: true })
      await writeFile(join(rig.machine.root, 'site/roles/configure/tasks/main.yaml'), '---\n')
    }
    const ironic = {
      image: { url: `${server.url}/root`, disk_format: 'raw', type: 'partition', checksum: `sha256:${sha256(image)}` },
      partition_info: partitionInfo(options),
    }
    return await rig.play('deploy.yaml', ironic, { vars: { ironic_root_device: device } })
  }
  const table = async () => JSON.parse(await run('sfdisk', ['--json', device])).partitiontable
  const kindOf = async (number: number) =>
    (await run('blkid', ['-p', '-o', 'value', '-s', 'TYPE', `${device}p${number}`])).trim()
  async function mounted<T>(number: number, act: (at: string) => Promise<T>): Promise<T> {
    const at = join(folder, 'mounted')
    await mkdir(at, { recursive: true })
    await run('mount', [`${device}p${number}`, at])
    try {
      return await act(at)
    } finally {
      await run('umount', [at])
    }
  }

  it('makes ephemeral, swap and root behind a BIOS boot partition (GPT)', async () => {
    await deploy({ label: 'gpt' })

    const { label, partitions } = await table()
    const places = partitions.map(({ start, size, name }: Record<string, number | string>) => [
      name,
      Number(start) / 2048,
      Number(size) / 2048,
    ])
    assert.equal(label, 'gpt')
    assert.deepEqual(places, [
      ['bios', 1, 1],
      ['ephemeral', 2, 32],
      ['swap', 34, 16],
      ['root', 50, 64],
    ])
    assert.deepEqual([await kindOf(2), await kindOf(3), await kindOf(4)], ['ext4', 'swap', 'ext4'])
    assert.equal(await mounted(4, (at) => readFile(join(at, 'hello'), 'utf8')), 'hello')
  })

  it('keeps the ephemeral partition when it is to be preserved', async () => {
    await deploy({})
    await mounted(2, (at) => writeFile(join(at, 'mine'), 'mine'))

    await deploy({ preserve: true })

    assert.equal(await mounted(2, (at) => readFile(join(at, 'mine'), 'utf8')), 'mine')
    assert.equal(await mounted(4, (at) => readFile(join(at, 'hello'), 'utf8')), 'hello')
  })

  it('refuses to preserve one that lies elsewhere, and writes nothing', async () => {
    await deploy({})
    await mounted(2, (at) => writeFile(join(at, 'mine'), 'mine'))
    const before = await table()

    await assert.rejects(
      deploy({ preserve: true, ephemeral_mib: 40 }),
      /partition 2 of \/dev\/loop\d+ is not an ephemeral/,
    )

    assert.deepEqual(await table(), before)
    assert.equal(await mounted(2, (at) => readFile(join(at, 'mine'), 'utf8')), 'mine')
  })

  it('refuses what does not fit on the disk, and writes nothing', async () => {
    await deploy({})
    const before = await table()

    await assert.rejects(deploy({ root_mib: 400 }), /has 256 MiB, and the partitions need 451: nothing was written/)
    assert.deepEqual(await table(), before)
  })

  it('makes an MBR where it is asked for, with root to boot from', async () => {
    await deploy({ label: 'msdos' })

    const { label, partitions } = await table()
    assert.equal(label, 'dos')
    assert.deepEqual(
      partitions.map(({ type, bootable = false }: Record<string, unknown>) => [type, bootable]),
      [
        ['83', false],
        ['82', false],
        ['83', true],
      ],
    )
    assert.deepEqual([await kindOf(1), await kindOf(2), await kindOf(3)], ['ext4', 'swap', 'ext4'])
  })

  it('says what an image lacks that nothing would boot, and leaves nothing mounted', async () => {
    const told = deploy({}, { boots: true })

    await assert.rejects(
      told,
      /The image has no grub-install and grub-mkconfig in usr\/sbin, so nothing would boot it\./,
    )
    assert.ok(!(await readFile('/proc/mounts', 'utf8')).includes('image-root'))
  })

  it('touches no disk that is in use', async () => {
    await deploy({})
    const before = await table()
    await using rig = await playbookRig()

    await mounted(4, async () => {
      const vars = { disks_to_erase: [device] }
      await assert.rejects(
        rig.play('clean.yaml', {}, { tags: 'zap', vars }),
        /Failed to erase the device.*is in use \(mounted/,
      )
      await assert.rejects(deploy({}), /is in use \(mounted/)
    })

    assert.deepEqual(await table(), before)
  })
})
