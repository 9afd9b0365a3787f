/**
 * Makes a disk with a bootable container this machine's own: unique identifiers, the root file system as large as the
 * disk, the machine's files, its config drive. Also after a copy of an install that another machine has, too.
 */
import type { StepAgent, StepContext, StepDisk } from '@appliance/pxe/agent-api'
import { type DeployedFile, deployedFiles, deploymentOf, writeFiles } from './deployment-files.ts'
import { type FileSystem, fileSystemOf, growMounted, growUnmounted, withMounted } from './file-system.ts'
import { readTable, rewriteTable, rootOf } from './partitions.ts'

export type FinishArguments = {
  /** Into the deployment's /etc, owned by root. */
  files: readonly DeployedFile[]
  /** As `task.configDrive.encoded()` gives it. */
  configdrive: string | undefined
  /**
   * The disk is a copy: its GUIDs are made new. That of the file system stays, because the boot loader finds its root
   * by it.
   */
  new_ids: boolean
  grow: boolean
}
export type Finished = {
  /** /dev/vda3 */
  root: string
  file_system: string
  root_bytes: number
  /** Why the root file system is not as large as its partition; left out when it is. */
  not_grown?: string
}
export type Finishing = { agent: StepAgent; disk: StepDisk; context: StepContext }

const MIB = 1024 * 1024
/** The agent makes the partition of a config drive 64 MiB large; one for rounding. */
const CONFIG_DRIVE_ROOM_BYTES = 65 * MIB

/** @throws Error  what is wrong with them */
export function finishArguments(args: Readonly<Record<string, unknown>>): FinishArguments {
  const { configdrive, new_ids = false, grow = true } = args
  if (configdrive !== undefined && configdrive !== null && typeof configdrive !== 'string') {
    throw new Error(`The step's argument configdrive is ${typeof configdrive}: a text is wanted.`)
  }
  if (typeof new_ids !== 'boolean' || typeof grow !== 'boolean') {
    throw new Error("The step's arguments new_ids and grow must be true or false.")
  }
  return { files: deployedFiles(args.files ?? []), configdrive: configdrive || undefined, new_ids, grow }
}

/** @throws Error  one sentence for the operator; nothing stays mounted */
export async function finishDisk({ agent, disk, context }: Finishing, args: FinishArguments): Promise<Finished> {
  context.progress({ note: `preparing ${disk.name} for its first boot` })
  const table = await readTable(agent, disk)
  const root = rootOf(table, disk)
  const reserved_bytes = args.configdrive ? CONFIG_DRIVE_ROOM_BYTES : 0
  const root_bytes = await rewriteTable({ agent, disk, table, root }, { ...args, reserved_bytes })
  const file_system = await fileSystemOf(agent, root.node)
  const finished: Finished = { root: root.node, file_system, root_bytes }
  const why =
    file_system === 'LUKS' ? withoutKey(root.node, args) : await fill({ agent, node: root.node, file_system }, args)
  if (why) finished.not_grown = why
  if (finished.not_grown) agent.screen.say(`The root file system keeps its size: ${finished.not_grown}`)
  if (args.configdrive) {
    const number = await agent.writeConfigDrive(disk, args.configdrive)
    agent.screen.say(`Config drive written to partition ${number}`)
    await agent.rereadPartitions(disk).catch((error: Error) => agent.screen.note(error.message))
  }
  return finished
}

/** @returns why it keeps its size */
async function fill(file_system: FileSystem, { grow, files }: FinishArguments): Promise<string | undefined> {
  const why = await withMounted(file_system, async (folder) => {
    const complaint = grow ? await growMounted(file_system, folder) : undefined
    await writeFiles(await deploymentOf(folder), files)
    return complaint
  })
  return why && file_system.file_system === 'ext4' ? growUnmounted(file_system) : why
}

/**
 * Its key is sealed in the TPM for the installed system; the mapping has the partition's size at the next boot by
 * itself.
 */
function withoutKey(node: string, { files }: FinishArguments): string {
  if (files.length === 0) return `${node} is encrypted, and only the installed system has its key`
  const names = files.map(({ path }) => path).join(', ')
  throw new Error(`${node} is encrypted, and only the installed system has its key: ${names} cannot be written to it.`)
}
