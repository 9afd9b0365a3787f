/**
 * The root file system: what it is, mounted for as long as it is needed, grown to its partition while it is mounted.
 */
import { mkdir, open, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { StepAgent } from '@appliance/pxe/agent-api'

export type FileSystem = { agent: StepAgent; node: string; file_system: string }

const SIGNATURES: readonly (readonly [name: string, at: number, bytes: string])[] = [
  ['LUKS', 0, '4c554b53babe'],
  ['xfs', 0, '58465342'],
  ['ext4', 1080, '53ef'],
  ['btrfs', 65_600, '5f42485266535f4d'],
]
const MOUNT_POINT = 'run/rackstrap/installed'
const NODE_ATTEMPTS = 50
const NODE_PAUSE_MS = 100
const GROW_TIMEOUT_S = 1800
const MOUNT_TIMEOUT_S = 300

/** @throws Error  none that is known, or no such partition */
export async function fileSystemOf(agent: StepAgent, node: string): Promise<string> {
  await using device = await openSoon(join(agent.root, node))
  for (const [name, at, bytes] of SIGNATURES) {
    const length = bytes.length / 2
    const { buffer } = await device.read(Buffer.alloc(length), 0, length, at)
    if (buffer.toString('hex') === bytes) return name
  }
  throw new Error(`${node} holds no file system of ext4, xfs or btrfs: nothing was installed there.`)
}

/** The kernel makes the node a moment after it has read the table. */
async function openSoon(path: string) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await open(path, 'r')
    } catch (error) {
      if (attempt >= NODE_ATTEMPTS) throw error
    }
    await pause(NODE_PAUSE_MS)
  }
}

/** Nothing in it is run or opened as a device: it is the tenant's. */
export async function withMounted<T>(mounting: FileSystem, work: (folder: string) => Promise<T>): Promise<T> {
  const { agent, node, file_system } = mounting
  const folder = join(agent.root, MOUNT_POINT)
  await mkdir(folder, { recursive: true })
  const how = ['-t', file_system, '-o', 'rw,noatime,nosuid,nodev,noexec', join(agent.root, node), folder]
  await agent.programs.run('mount', how, { timeout_s: MOUNT_TIMEOUT_S })
  try {
    return await work(folder)
  } finally {
    await agent.programs.run('umount', [folder], { timeout_s: MOUNT_TIMEOUT_S })
    await rmdir(folder)
  }
}

/** While it is mounted, as its own system would: xfs and btrfs know no other way. @returns why it keeps its size */
export async function growMounted(
  { agent, node, file_system }: FileSystem,
  folder: string,
): Promise<string | undefined> {
  const [program, ...args] = growing(file_system, join(agent.root, node), folder)
  if (!program) return `this ramdisk cannot grow ${file_system}`
  return complaintOf(agent.programs.run(program, args, { timeout_s: GROW_TIMEOUT_S }))
}

/** Where the kernel does not do it while it is mounted: ext4 only. @returns why it keeps its size */
export async function growUnmounted({ agent, node }: FileSystem): Promise<string | undefined> {
  const path = join(agent.root, node)
  const options = { timeout_s: GROW_TIMEOUT_S }
  // It ends with 1 when it has corrected something; resize2fs looks whether all is well.
  await agent.programs
    .run('e2fsck', ['-f', '-p', path], options)
    .catch((error: Error) => agent.screen.note(error.message))
  return complaintOf(agent.programs.run('resize2fs', [path], options))
}

const complaintOf = (running: Promise<string>): Promise<string | undefined> =>
  running.then(
    () => undefined,
    (error: Error) => error.message.replace(/\s+/g, ' '),
  )

function growing(file_system: string, path: string, folder: string): readonly string[] {
  if (file_system === 'ext4') return ['resize2fs', path]
  if (file_system === 'xfs') return ['xfs_growfs', folder]
  if (file_system === 'btrfs') return ['btrfs', 'filesystem', 'resize', 'max', folder]
  return []
}
