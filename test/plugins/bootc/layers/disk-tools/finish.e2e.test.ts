/** bootc_finish on a disk with a real file system. Needs root. */
import assert from 'node:assert/strict'
import { mkdir, open, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { finishArguments, finishDisk } from '../../../../../plugins/bootc/layers/disk-tools/steps/finish.ts'
import { steps } from '../../../../../plugins/bootc/layers/disk-tools/steps/index.ts'
import { BOOT_CODE, DEPLOYMENT, type InstalledMachine, makeInstalledMachine, run } from '../installed-disk.ts'

const MIB = 1024 ** 2
const SECTORS_PER_MIB = 2048
const KEYS = { path: '/etc/tmpfiles.d/bootc-root-ssh.conf', content: 'f~ /root/.ssh/authorized_keys\n', mode: 0o600 }

const finish = (machine: InstalledMachine, args: Record<string, unknown>) => finishDisk(machine, finishArguments(args))
const ids = ({ id, partitions }: Awaited<ReturnType<InstalledMachine['table']>>) => [
  id,
  ...partitions.map(({ uuid }) => uuid),
]
async function encrypted() {
  const machine = await makeInstalledMachine({ state: 'laid out' })
  await using root = await open(join(machine.root, 'dev/vda3'), 'r+')
  await root.write(Buffer.from('LUKS\xba\xbe', 'latin1'), 0, 6, 0)
  await root.sync()
  return machine
}

describe('bootc_finish', { timeout: 120_000 }, () => {
  it('gives root the rest of the disk, and writes the files of the machine into its deployment', async () => {
    await using machine = await makeInstalledMachine()

    const finished = await finish(machine, { files: [KEYS] })

    assert.deepEqual(finished, { root: '/dev/vda3', file_system: 'ext4', root_bytes: 501 * MIB })
    await machine.look(async (folder) => {
      const file = join(folder, DEPLOYMENT, KEYS.path)
      assert.equal(await readFile(file, 'utf8'), KEYS.content)
      assert.equal((await stat(file)).mode & 0o777, 0o600)
      const kib = Number((await run('df', '-k', '--output=size', folder)).split('\n')[1])
      assert.ok(kib > 440 * 1024, `${kib} KiB`)
    })
    assert.deepEqual(await machine.leftOver(), [])
  })

  it('leaves room for a config drive at the end of the disk, and then has it written', async () => {
    await using machine = await makeInstalledMachine()

    await finish(machine, { configdrive: 'H4sIAAAA' })

    assert.deepEqual(machine.config_drives, ['H4sIAAAA'])
    const { start = 0, size = 0 } = (await machine.table()).partitions[2] ?? {}
    const free_mib = 512 - (start + size) / SECTORS_PER_MIB
    assert.ok(free_mib >= 65 && free_mib < 67, `${free_mib} MiB are free`)
  })

  it('makes the identifiers of a copy new, and nothing else: names, attributes and boot code stay', async () => {
    await using machine = await makeInstalledMachine()
    const before = await machine.table()

    await finish(machine, { new_ids: true })

    const after = await machine.table()
    assert.deepEqual(
      ids(after).filter((id) => ids(before).includes(id)),
      [],
    )
    assert.deepEqual(
      after.partitions.map(({ name, attrs, start }) => [name, attrs, start]),
      before.partitions.map(({ name, attrs, start }) => [name, attrs, start]),
    )
    await using file = await open(join(machine.root, 'dev/vda'))
    const { buffer } = await file.read(Buffer.alloc(BOOT_CODE.length), 0, BOOT_CODE.length, 0)
    assert.deepEqual(buffer, BOOT_CODE)
  })

  it('keeps identifiers and size when it is not to change them', async () => {
    await using machine = await makeInstalledMachine()
    const before = await machine.table()

    await finish(machine, { new_ids: false, grow: false, files: [KEYS] })

    assert.deepEqual(await machine.table(), before)
  })

  it('says that nothing was installed where root has no file system', async () => {
    await using machine = await makeInstalledMachine({ state: 'laid out' })

    await assert.rejects(finish(machine, {}), {
      message: '/dev/vda3 holds no file system of ext4, xfs or btrfs: nothing was installed there.',
    })
  })

  it('gives an encrypted root its partition, and tells that it can do no more: only the installed system has the key', async () => {
    await using machine = await encrypted()
    const before = await machine.table()

    const finished = await finish(machine, { new_ids: true, configdrive: 'H4sIAAAA' })

    const why = '/dev/vda3 is encrypted, and only the installed system has its key'
    assert.deepEqual(finished, { root: '/dev/vda3', file_system: 'LUKS', root_bytes: 436 * MIB, not_grown: why })
    assert.ok(machine.said.includes(`The root file system keeps its size: ${why}`))
    assert.deepEqual(machine.config_drives, ['H4sIAAAA'])
    assert.ok(ids(await machine.table()).every((id) => !ids(before).includes(id)))
    assert.ok((await machine.calls()).every((call) => !call.startsWith('mount')))
  })

  it('says which files an encrypted root cannot be given', async () => {
    await using machine = await encrypted()

    await assert.rejects(finish(machine, { files: [KEYS] }), {
      message: `/dev/vda3 is encrypted, and only the installed system has its key: ${KEYS.path} cannot be written to it.`,
    })
  })

  it('says that there is no deployment, and leaves nothing mounted', async () => {
    await using machine = await makeInstalledMachine()
    await machine.look((folder) => rm(join(folder, 'ostree'), { recursive: true }))

    await assert.rejects(finish(machine, { files: [KEYS] }), /there is no deployment on the disk/)
    assert.deepEqual(await machine.leftOver(), [])
  })

  it('leaves a disk that it could not finish without a partition table: a machine without its keys must not boot', async () => {
    await using machine = await makeInstalledMachine()
    await machine.look((folder) => rm(join(folder, 'ostree'), { recursive: true }))

    await assert.rejects(async () => steps.bootc_finish?.run(machine.agent, { files: [KEYS] }, machine.context))

    await assert.rejects(machine.table())
    assert.match(
      machine.said.join('\n'),
      /\/dev\/vda has no partition table now, so that nothing half-installed boots from it\./,
    )
  })

  it('writes nothing outside of the root file system, whatever links are in it', async () => {
    await using machine = await makeInstalledMachine()
    const outside = join(machine.root, 'outside')
    await mkdir(outside)
    await writeFile(join(outside, 'bootc-root-ssh.conf'), 'untouched')
    await machine.look((folder) => symlink(outside, join(folder, DEPLOYMENT, 'etc/tmpfiles.d')))

    await assert.rejects(finish(machine, { files: [KEYS] }), /a folder on its way is a link or a file in the image/)
    assert.equal(await readFile(join(outside, 'bootc-root-ssh.conf'), 'utf8'), 'untouched')
  })
})
