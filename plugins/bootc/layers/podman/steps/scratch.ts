/**
 * Room for podman's store: in memory the image would take several times its size. On the target disk it is a loop
 * device over the end of the disk, which is no partition and so in nobody's way, and which the root file system gets
 * afterwards.
 */
import { mkdir, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { StepAgent, StepDisk } from '@appliance/pxe/agent-api'
import type { InstallArguments } from './arguments.ts'
import { mountPoints } from './host.ts'

export type Scratch = AsyncDisposable & {
  /** Where it begins on the target disk; the disk's end when it is elsewhere. */
  start_bytes: number
  usedBytes(): Promise<number>
  /** Discarded, so that the disk has it back. May be called again. */
  end(): Promise<void>
}

export const STORE = 'var/lib/containers'
/** Of podman's image_copy_tmp_dir = storage, which it does not make. */
const TEMPORARY = 'storage/tmp'
/** What podman remembers of a store beside it. */
const REMEMBERED = ['run/containers', 'run/libpod']
const VAR_TMP = 'var/tmp'
const MIB = 1024 * 1024
const GIB = 1024 * MIB
/** More than any image needs, unpacked and packed at once. */
const LIMIT_BYTES = 64 * GIB
/** For a config drive, and the copy of the partition table. */
const END_BYTES = 66 * MIB
/** In front of root at most: boot loader 1 MiB, EFI 1 GiB (composefs), with tpm2-luks /boot 510 MiB. */
const FRONT_BYTES = 1026 * MIB
const LUKS_FRONT_BYTES = 1536 * MIB
const LEAST_BYTES = 512 * MIB
const DISCARD_TIMEOUT_S = 1800
const MAKE_TIMEOUT_S = 600

/** No journal, nothing initialised: it lives for minutes. */
const FILE_SYSTEM = ['-q', '-F', '-O', '^has_journal', '-m', '0', '-E', 'lazy_itable_init=1,nodiscard']
const MOUNT_OPTIONS = 'noatime,noinit_itable,nobarrier'

/**
 * The rest of the disk, half and half: the store holds the image packed and unpacked, root holds it once and grows
 * afterwards.
 */
export function placeOnTarget(size_bytes: number, front_bytes: number): { start_bytes: number; length_bytes: number } {
  const half = Math.floor((size_bytes - END_BYTES - front_bytes) / 2 / MIB) * MIB
  const length_bytes = Math.min(LIMIT_BYTES, half)
  return { start_bytes: Math.floor((size_bytes - END_BYTES) / MIB) * MIB - length_bytes, length_bytes }
}

/** --root-size of bootc, so that nothing that it makes reaches into the scratch space. */
export const rootMib = (scratch_start_bytes: number, tpm2_luks: boolean) =>
  Math.floor((scratch_start_bytes - (tpm2_luks ? LUKS_FRONT_BYTES : FRONT_BYTES)) / MIB)

/** @throws Error  the disk is too small, or takes no file system */
export async function makeScratch(agent: StepAgent, disk: StepDisk, args: InstallArguments): Promise<Scratch> {
  const { scratch, tpm2_luks } = args
  const place = placeOnTarget(disk.size_bytes, tpm2_luks ? LUKS_FRONT_BYTES : FRONT_BYTES)
  if (scratch === 'target' && place.length_bytes < LEAST_BYTES) {
    const found = `${disk.name} has ${Math.floor(disk.size_bytes / MIB)} MiB`
    throw new Error(
      `${found}: too little for a bootable container and the scratch space of its install. Name a larger disk.`,
    )
  }
  const device = scratch === 'target' ? await loopDevice(agent, disk, place) : join(agent.root, scratch)
  const folder = join(agent.root, STORE)
  const end = () => endScratch(agent, { device, folder, loop: scratch === 'target' })
  try {
    await agent.programs.run('mkfs.ext4', [...FILE_SYSTEM, device], { timeout_s: MAKE_TIMEOUT_S })
    await agent.programs.run('mount', ['-t', 'ext4', '-o', MOUNT_OPTIONS, device, folder])
    await mkdir(join(folder, TEMPORARY), { recursive: true })
    await bindTemporary(agent, folder)
  } catch (error) {
    await end()
    throw error
  }
  return {
    start_bytes: scratch === 'target' ? place.start_bytes : disk.size_bytes,
    async usedBytes() {
      const { blocks, bfree, bsize } = await statfs(folder)
      return (blocks - bfree) * bsize
    },
    end,
    [Symbol.asyncDispose]: end,
  }
}

/** bootc keeps what it unpacks in the host's /var/tmp, which would be memory. */
async function bindTemporary({ root, programs }: StepAgent, folder: string): Promise<void> {
  const own = join(folder, 'tmp')
  await mkdir(own, { recursive: true })
  await programs.run('mount', ['--bind', own, join(root, VAR_TMP)])
}

type Place = ReturnType<typeof placeOnTarget>

async function loopDevice({ root, programs }: StepAgent, disk: StepDisk, place: Place): Promise<string> {
  const where = ['--offset', String(place.start_bytes), '--sizelimit', String(place.length_bytes)]
  const shown = await programs.run('losetup', ['--find', '--show', ...where, join(root, disk.name)])
  return shown.trim()
}

/** Mounts of podman's within it go first. What is not there any more is no failure. */
async function endScratch(agent: StepAgent, scratch: { device: string; folder: string; loop: boolean }): Promise<void> {
  const { programs, screen, root } = agent
  const { device, folder, loop } = scratch
  const note = (error: Error) => screen.note(error.message)
  const own = [folder, join(root, VAR_TMP)]
  const below = (await mountPoints(root)).filter((path) => own.includes(path) || path.startsWith(`${folder}/`))
  for (const path of below.reverse())
    await programs.run('umount', [path]).catch(() => programs.run('umount', ['-l', path]).catch(note))
  for (const name of REMEMBERED) await rm(join(root, name), { recursive: true, force: true })
  if (loop && !(await isLooped(agent, device))) return
  await programs.run('blkdiscard', ['-f', device], { timeout_s: DISCARD_TIMEOUT_S }).catch(note)
  if (loop) await programs.run('losetup', ['--detach', device]).catch(note)
}

async function isLooped({ programs }: StepAgent, device: string): Promise<boolean> {
  const list = await programs.run('losetup', ['--noheadings', '--output', 'NAME'])
  return list.split('\n').some((name) => name.trim() === device)
}
