/**
 * A folder that stands for a bare machine: /proc, /sys, /dev with sparse files as disks, and programs that write down
 * how they are called.
 */
import { mkdir, open, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { listDisks } from '../../../../pxe/ramdisk/agent/hardware/disks.ts'
import { parseImageInfo } from '../../../../pxe/ramdisk/agent/image/image-info.ts'
import type { WriteImageOptions } from '../../../../pxe/ramdisk/agent/image/write-image.ts'
import { type AgentOptions, parseKernelParameters } from '../../../../pxe/ramdisk/agent/kernel-parameters.ts'
import { createPrograms } from '../../../../pxe/ramdisk/agent/programs.ts'
import { createScreen } from '../../../../pxe/ramdisk/agent/screen.ts'
import { makeFolder } from './quick-folder.ts'

type FakeDisk = {
  name: string
  size_bytes: number
  serial?: string
  model?: string
  rotational?: boolean
  read_only?: boolean
  /** Left out: virtio. */
  bus?: 'virtio' | 'sata' | 'usb'
}
export type FakeMachineOptions = {
  disks?: readonly FakeDisk[]
  /** Kernel command line. */
  cmdline?: string
  /** Bodies of shell scripts, instead of programs that only succeed. */
  programs?: Readonly<Record<string, string>>
  /** false: a disk that cannot be discarded. */
  punchesHoles?: boolean
}
export type FakeMachine = AsyncDisposable & {
  root: string
  /** The file that stands for a disk. */
  disk(name: string): string
  read(name: string, position: number, length: number): Promise<Buffer>
  fill(name: string, byte: number, ranges: readonly [start: number, length: number][]): Promise<void>
  /** What the person in front of it has seen so far. */
  console(): Promise<string>
  /** Programs and their arguments, in the order of their calls. */
  calls(): Promise<string[]>
}

export const MIB = 1024 ** 2
export const GIB = 1024 ** 3
export const MAC = '52:54:00:12:34:56'
const PROGRAMS = ['blockdev', 'sync', 'poweroff', 'reboot', 'ip', 'date', 'dmesg', 'ps', 'df']

export async function makeMachine(options: FakeMachineOptions = {}): Promise<FakeMachine> {
  const root = await makeFolder('machine-')
  const { disks = [{ name: 'vda', size_bytes: 4 * GIB }], cmdline = '', programs = {}, punchesHoles = true } = options
  await put(root, {
    'proc/cmdline': `${cmdline}\n`,
    'proc/meminfo': 'MemTotal:        1018088 kB\nMemAvailable:     629000 kB\n',
    'proc/cpuinfo':
      'processor\t: 0\nphysical id\t: 0\nmodel name\t: Steel 1\ncpu MHz\t\t: 2400.0\nflags\t\t: fpu sse\n\n',
    'sys/class/tty/console/active': 'tty9 ttyS0\n',
    'dev/ttyS0': '',
    'run/calls.log': '',
  })
  await addCard(root)
  for (const [index, disk] of disks.entries()) await addDisk(root, disk, index)
  for (const name of new Set([...PROGRAMS, ...Object.keys(programs)])) {
    const script = `#!/bin/sh\necho "${name} $*" >>${root}/run/calls.log\n${programs[name] ?? ''}\n`
    await mkdir(join(root, 'usr/bin'), { recursive: true })
    await writeFile(join(root, 'usr/bin', name), script, { mode: 0o755 })
  }
  if (punchesHoles) await symlink('/usr/bin/fallocate', join(root, 'usr/bin/fallocate'))
  const disk = (name: string) => join(root, 'dev', name)
  return {
    root,
    disk,
    async read(name, position, length) {
      await using file = await open(disk(name))
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, position)
      return buffer
    },
    async fill(name, byte, ranges) {
      await using file = await open(disk(name), 'r+')
      for (const [start, length] of ranges) await file.write(Buffer.alloc(length, byte), 0, length, start)
    },
    console: () => readFile(join(root, 'dev/ttyS0'), 'latin1'),
    calls: async () => (await readFile(join(root, 'run/calls.log'), 'utf8')).split('\n').filter(Boolean),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
}

async function put(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), content)
  }
}

async function link(root: string, from: string, to: string): Promise<void> {
  await mkdir(dirname(join(root, from)), { recursive: true })
  await symlink(relative(dirname(from), to), join(root, from))
}

async function addCard(root: string): Promise<void> {
  const device = 'sys/devices/pci0000:00/0000:00:03.0/virtio0'
  await put(root, {
    [`${device}/net/rack0/address`]: `${MAC}\n`,
    [`${device}/net/rack0/carrier`]: '1\n',
    'sys/bus/virtio/drivers/virtio_net/module': '',
  })
  await link(root, `${device}/driver`, 'sys/bus/virtio/drivers/virtio_net')
  await link(root, `${device}/net/rack0/device`, device)
  await link(root, 'sys/class/net/rack0', `${device}/net/rack0`)
}

async function addDisk(root: string, disk: FakeDisk, index: number): Promise<void> {
  const { name, size_bytes, serial, model, rotational = false, read_only = false, bus = 'virtio' } = disk
  const number = index + 1
  const scsi = `host${number}/target${number}:0:0/${number}:0:0:0`
  const behind = { virtio: `virtio${number}`, sata: `ata${number}/${scsi}`, usb: `usb${number}/1-1/1-1:1.0/${scsi}` }[
    bus
  ]
  const folder = `sys/devices/pci0000:00/0000:00:${(4 + index).toString(16).padStart(2, '0')}.0/${behind}/block/${name}`
  await put(root, {
    [`${folder}/size`]: `${size_bytes / 512}\n`,
    [`${folder}/ro`]: `${Number(read_only)}\n`,
    [`${folder}/queue/rotational`]: `${Number(rotational)}\n`,
    [`${folder}/queue/logical_block_size`]: '512\n',
    [`${folder}/queue/physical_block_size`]: '512\n',
    [`dev/${name}`]: '',
    ...(serial ? { [`${folder}/serial`]: serial } : {}),
    ...(model ? { [`${folder}/device/model`]: `${model}\n` } : {}),
  })
  await link(root, `sys/block/${name}`, folder)
  await using file = await open(join(root, 'dev', name), 'r+')
  await file.truncate(size_bytes)
}

/** Retries without a pause, and a deadline that a busy test machine keeps. */
const IMPATIENT: Partial<AgentOptions> = {
  image_download_connection_timeout_s: 10,
  image_download_connection_retries: 2,
  image_download_connection_retry_interval_s: 0,
}

/** What write_image works with on this machine's first disk, without an agent around it. */
export async function writeTask(
  machine: FakeMachine,
  image_info: Record<string, unknown>,
  more: { options?: Partial<AgentOptions>; configdrive?: string } = {},
): Promise<WriteImageOptions> {
  const [disk] = await listDisks(machine.root)
  if (!disk) throw new Error('this machine has no disk')
  return {
    root: machine.root,
    disk,
    image: parseImageInfo(image_info, { md5_enabled: true }),
    configdrive: more.configdrive,
    options: { ...parseKernelParameters('', () => {}), ...IMPATIENT, ...more.options },
    md5_enabled: true,
    programs: createPrograms(machine.root),
    screen: createScreen(machine.root),
    progress: () => {},
  }
}
