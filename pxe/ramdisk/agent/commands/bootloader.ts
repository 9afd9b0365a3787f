/**
 * Extension `image`: once an operating system is on the disk, the firmware of a machine that has booted by UEFI gets
 * an entry to start it. Images bring their own boot loaders. @source ironic-python-agent extensions/image.py
 */
import { existsSync } from 'node:fs'
import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { makeFirst, whyNot } from '../boot/entries.ts'
import { type Loaders, loadersOn } from '../boot/loaders.ts'
import { diskPath, openDisk } from '../disk/disk-file.ts'
import { efiPartition, readPartitionTable } from '../disk/partition-table.ts'
import { AgentError, messageOf } from '../errors.ts'
import type { Disk } from '../hardware/disks.ts'
import { bootModeOf } from '../hardware/inventory.ts'
import { findRootDevice } from '../hardware/root-device.ts'
import type { Params } from '../protocol/commands.ts'
import type { AgentContext } from './context.ts'

const MOUNT_POINT = 'run/efi-system'
const NODE_ATTEMPTS = 50
const NODE_PAUSE_MS = 100

type System = { number: number; node: string; is_mbr: boolean }

/** @returns what was done, in words. @throws AgentError  the machine would not find its operating system */
export async function installBootloader(agent: AgentContext, params: Params): Promise<string> {
  const { screen, options } = agent
  if ((await bootModeOf(agent.root)) === 'bios') return 'booted by BIOS: nothing to do'
  const { ignore_bootloader_failure: ignore = options.ignore_bootloader_failure } = params
  try {
    const said = await bootFirst(agent)
    screen.say(said)
    return said
  } catch (error) {
    if (ignore !== true) throw error
    screen.say(`${messageOf(error)} Ignored, as ipa-ignore-bootloader-failure says.`)
    return messageOf(error)
  }
}

async function bootFirst(agent: AgentContext): Promise<string> {
  const { root, options, node } = agent
  const { disk_wait_attempts: attempts, disk_wait_delay_s: delay_s } = options
  const disk = await findRootDevice(root, node, { attempts, delay_s })
  const system = await systemPartition(agent, disk)
  const { best: loader, has_fallback } = await loadersIn(agent, system)
  if (!loader) throw unbootable(`The EFI system partition ${system.node} holds no boot loader for this machine`)
  const what = `${loader.path} of ${system.node}`
  try {
    const place = { disk: diskPath(root, disk), partition: system.number, is_mbr: system.is_mbr, loader }
    const { number } = await makeFirst(agent, place)
    return `Boot entry ${number} "${loader.label}" starts ${what}, first in the boot order`
  } catch (cause) {
    const failure = `No boot entry could be made for ${what}: ${whyNot(cause)}`
    if (has_fallback) return `WARNING: ${failure}. The firmware has to find \\EFI\\BOOT by itself.`
    throw new AgentError(
      'CommandExecutionError',
      `${failure}, and there is no \\EFI\\BOOT that it could find by itself.`,
      {
        cause,
      },
    )
  }
}

const unbootable = (found: string, cause?: unknown) =>
  new AgentError(
    'DeviceNotFound',
    `${found}, and this machine has booted by UEFI. Use an image for UEFI, or have the machine boot by BIOS.`,
    { cause },
  )

async function systemPartition({ root }: AgentContext, disk: Disk): Promise<System> {
  await using file = await openDisk(root, disk)
  const table = await readPartitionTable(file)
  const number = table && efiPartition(table)
  if (!table || number === undefined) throw unbootable(`${disk.name} has no EFI system partition`)
  // /dev/nvme0n1p2, but /dev/sda2.
  const node = `${disk.name}${/\d$/.test(disk.name) ? 'p' : ''}${number}`
  return { number, node, is_mbr: table.kind === 'mbr' }
}

/** Nothing on it is changed or run: it is the tenant's. */
async function loadersIn({ root, programs }: AgentContext, { node }: System): Promise<Loaders> {
  const folder = join(root, MOUNT_POINT)
  await mkdir(folder, { recursive: true })
  // The kernel makes the node a moment after it has read the table.
  for (let attempt = 1; attempt < NODE_ATTEMPTS && !existsSync(join(root, node)); attempt++) await pause(NODE_PAUSE_MS)
  const how = ['-t', 'vfat', '-o', 'ro,nosuid,nodev,noexec', join(root, node), folder]
  await programs.run('mount', how).catch((cause: unknown) => {
    throw unbootable(`The EFI system partition ${node} cannot be read (${whyNot(cause)})`, cause)
  })
  try {
    return await loadersOn(folder)
  } finally {
    await programs.run('umount', [folder])
    await rmdir(folder)
  }
}
