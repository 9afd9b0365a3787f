/**
 * A machine with a disk as bootc leaves it: boot code, BIOS boot, EFI, root with one deployment. The disk is a file, its root partition a loop
 * device over a part of it: many a box's kernel reads no partition tables of loop devices. Needs root.
 */
import { execFile } from 'node:child_process'
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type LayerMachine, makeLayerMachine } from './machine.ts'

const execute = promisify(execFile)
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
const MIB = 1024 ** 2
const SECTOR_BYTES = 512

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
}

export const run = async (program: string, ...args: string[]) => (await execute(program, args, { env })).stdout

export async function makeInstalledMachine({ size_mib = 512, made = true } = {}): Promise<InstalledMachine> {
  let loop: string | undefined
  const detach = async () => {
    if (loop) await run('losetup', '--detach', loop)
    loop = undefined
  }
  const onReread = async (root: string) => {
    await detach()
    const { start, size } = (await tableOf(root)).partitions[2] ?? { start: 0, size: 1 }
    const where = ['--offset', String(start * SECTOR_BYTES), '--sizelimit', String(size * SECTOR_BYTES)]
    loop = (await run('losetup', '--find', '--show', ...where, join(root, 'dev/vda'))).trim()
    await rm(join(root, 'dev/vda3'), { force: true })
    await symlink(loop, join(root, 'dev/vda3'))
  }
  const machine = await makeLayerMachine({ size_bytes: size_mib * MIB, programs: 'real', onReread })
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
  await layOut(machine, size_mib)
  await onReread(machine.root)
  if (made) {
    await run('mkfs.ext4', '-q', join(machine.root, 'dev/vda3'))
    await look((folder) => mkdir(join(folder, DEPLOYMENT, 'etc'), { recursive: true }))
  }
  return {
    ...machine,
    look,
    table: () => tableOf(machine.root),
    async [Symbol.asyncDispose]() {
      await detach()
      await machine[Symbol.asyncDispose]()
    },
  }
}

async function layOut({ root }: LayerMachine, size_mib: number): Promise<void> {
  const disk = join(root, 'dev/vda')
  await mkdir(join(root, 'dev'))
  await writeFile(disk, BOOT_CODE)
  await truncate(disk, size_mib * MIB)
  await writeFile(join(root, 'layout'), LAYOUT)
  await run('sh', '-c', `sfdisk --quiet '${disk}' <'${join(root, 'layout')}'`)
}

async function tableOf(root: string): Promise<Table> {
  return JSON.parse(await run('sfdisk', '--json', join(root, 'dev/vda'))).partitiontable
}
