/**
 * A machine with a disk as bootc leaves it: boot code, BIOS boot, EFI, root with one deployment. The disk is a file,
 * its root partition a loop device over a part of it: many a box's kernel reads no partition tables of loop devices.
 * Needs root.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type LayerMachine, makeLayerMachine } from './machine.ts'

const execute = promisify(execFile)
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
const MIB = 1024 ** 2
const SECTOR_BYTES = 512
const PROGRAMS = ['sfdisk', 'umount', 'resize2fs', 'e2fsck', 'losetup', 'mkfs.ext4', 'blkdiscard']
/** This box has its own. */
const MOUNT = 'case "$*" in *cgroup2*|*tmpfs*) exit 0;; esac; PATH=/usr/bin:/bin exec mount "$@"'

export const DEPLOYMENT = 'ostree/deploy/default/deploy/0a1b.0'
export const BOOT_CODE = Buffer.alloc(440, 0xeb)
const LAYOUT = `label: gpt
start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649, name="BIOS-BOOT"
size=8MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="EFI-SYSTEM"
size=200MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name="root", attrs="GUID:59"
`

type Table = { id: string; partitions: { start: number; size: number; uuid: string; name: string; attrs?: string }[] }
export type InstalledMachine = LayerMachine & {
  table(): Promise<Table>
  /** Its root file system, mounted for a look. */
  look<T>(work: (folder: string) => Promise<T>): Promise<T>
  /** What is mounted in it or looped over its disk, but for the loop device that stands for its root partition. */
  leftOver(): Promise<string[]>
}
export type InstalledOptions = {
  size_mib?: number
  /** empty: a disk without a table. laid out: root has no file system. */
  state?: 'empty' | 'laid out' | 'installed'
  programs?: Readonly<Record<string, string>>
}

export const run = async (program: string, ...args: string[]) => (await execute(program, args, { env })).stdout

export async function makeInstalledMachine(options: InstalledOptions = {}): Promise<InstalledMachine> {
  const { size_mib = 512, state = 'installed', programs = {} } = options
  let loop: string | undefined
  const detach = async () => {
    if (loop) await run('losetup', '--detach', loop)
    loop = undefined
  }
  const onReread = async (root: string) => {
    await detach()
    const part = await tableOf(root).then(
      ({ partitions }) => partitions[2],
      () => undefined,
    )
    if (!part) return
    const { start, size } = part
    const where = ['--offset', String(start * SECTOR_BYTES), '--sizelimit', String(size * SECTOR_BYTES)]
    loop = (await run('losetup', '--find', '--show', ...where, join(root, 'dev/vda'))).trim()
    await rm(join(root, 'dev/vda3'), { force: true })
    await symlink(loop, join(root, 'dev/vda3'))
  }
  const machine = await makeLayerMachine({
    size_bytes: size_mib * MIB,
    real: PROGRAMS,
    onReread,
    programs: { mount: MOUNT, modprobe: '', ...programs },
  })
  const look = async <T>(work: (folder: string) => Promise<T>) => {
    const folder = join(machine.root, 'look')
    await mkdir(folder)
    await run('mount', join(machine.root, 'dev/vda3'), folder)
    try {
      return await work(folder)
    } finally {
      await run('umount', folder)
      await rm(folder, { recursive: true })
    }
  }
  await makeDisk(machine, size_mib)
  if (state !== 'empty') await layOut(machine)
  await onReread(machine.root)
  if (state === 'installed') {
    await run('mkfs.ext4', '-q', join(machine.root, 'dev/vda3'))
    await look((folder) => mkdir(join(folder, DEPLOYMENT, 'etc'), { recursive: true }))
  }
  return {
    ...machine,
    look,
    async leftOver() {
      const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').filter((line) => line.includes(machine.root))
      const loops = (await run('losetup', '--noheadings', '--output', 'NAME,BACK-FILE')).split('\n')
      const own = loops.filter((line) => line.includes(machine.root) && line.split(' ')[0] !== loop)
      return [...mounts, ...own]
    },
    table: () => tableOf(machine.root),
    async [Symbol.asyncDispose]() {
      await detach()
      await machine[Symbol.asyncDispose]()
    },
  }
}

async function makeDisk({ root }: LayerMachine, size_mib: number): Promise<void> {
  const disk = join(root, 'dev/vda')
  await mkdir(join(root, 'dev'))
  await writeFile(disk, BOOT_CODE)
  await truncate(disk, size_mib * MIB)
  await rm(join(root, 'proc/mounts'))
  await symlink('/proc/mounts', join(root, 'proc/mounts'))
}

async function layOut({ root }: LayerMachine): Promise<void> {
  await writeFile(join(root, 'layout'), LAYOUT)
  await run('sh', '-c', `sfdisk --quiet '${join(root, 'dev/vda')}' <'${join(root, 'layout')}'`)
}

async function tableOf(root: string): Promise<Table> {
  return JSON.parse(await run('sfdisk', '--json', join(root, 'dev/vda'))).partitiontable
}
