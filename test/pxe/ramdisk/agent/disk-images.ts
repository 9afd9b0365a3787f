/** Small disk images and config drives, made by the tools that make real ones. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { type FakeMachine, MIB } from './fake-machine.ts'
import { inFolder } from './quick-folder.ts'

const execute = promisify(execFile)

/** Two partitions, of 2 and 1 MiB; data at the second MiB and near the end of the second partition, zeros elsewhere. */
export function diskImage(label: 'gpt' | 'dos', size_mib = 6): Promise<Buffer> {
  return inFolder('disk-image-', async (folder) => {
    const file = join(folder, 'image.raw')
    await writeFile(file, Buffer.alloc(size_mib * MIB))
    const script = `label: ${label}\nstart=2048, size=4096\nstart=6144, size=2048\n`
    const running = execute('sfdisk', ['--quiet', file], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } })
    running.child.stdin?.end(script)
    await running
    const image = await readFile(file)
    randomBytes(300_000).copy(image, MIB)
    randomBytes(70_000).copy(image, 4 * MIB - 70_000)
    return image
  })
}

export type SfdiskPartition = { node: string; start: number; size: number; type: string; name?: string }

/** What sfdisk finds on a disk, and what it complains about. */
export async function sfdisk(
  machine: FakeMachine,
  disk: string,
): Promise<{ partitions: SfdiskPartition[]; lastlba?: number; complaints: string }> {
  const options = { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' } }
  const json = await execute('sfdisk', ['--json', machine.disk(disk)], options)
  const verify = await execute('sfdisk', ['--verify', machine.disk(disk)], options)
  const { partitiontable } = JSON.parse(json.stdout) as {
    partitiontable: { partitions: SfdiskPartition[]; lastlba?: number }
  }
  const verdict = verify.stdout.includes('No errors detected') ? '' : verify.stdout
  return { ...partitiontable, complaints: (json.stderr + verify.stderr + verdict).trim() }
}

/** A volume config-2 that holds one file. @returns its bytes, and the base64 of its gzip, as it travels */
export function configDrive(userData: string): Promise<{ iso: Buffer; text: string }> {
  return inFolder('disk-image-', async (folder) => {
    await mkdir(join(folder, 'root/openstack/latest'), { recursive: true })
    await writeFile(join(folder, 'root/openstack/latest/user_data'), userData)
    const file = join(folder, 'config.iso')
    await execute('genisoimage', ['-quiet', '-J', '-r', '-V', 'config-2', '-o', file, join(folder, 'root')])
    const iso = await readFile(file)
    return { iso, text: gzipSync(iso).toString('base64') }
  })
}

/** Reads the file back from where the volume lies on a disk. */
export function readConfigDrive(machine: FakeMachine, disk: string, start_bytes: number): Promise<string> {
  return inFolder('disk-image-', async (folder) => {
    await using source = await open(machine.disk(disk))
    const { buffer } = await source.read(Buffer.alloc(MIB), 0, MIB, start_bytes)
    const file = join(folder, 'partition.iso')
    await writeFile(file, buffer)
    return (await execute('isoinfo', ['-R', '-i', file, '-x', '/openstack/latest/user_data'])).stdout
  })
}
