/**
 * What podman and bootc expect of the machine they run on, beyond what the ramdisk's init has made. May be called
 * again.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StepAgent } from '@appliance/pxe/agent-api'

/** bootc wants to see the host's /run/udev, also where no udev runs. */
const FOLDERS = ['run/udev', 'run/rackstrap', 'var/tmp', 'var/lib/containers']
/** vfat for the image's own boot loader installer, which mounts the EFI partition. */
const MODULES = ['loop', 'overlay', 'vfat', 'nls_cp437', 'nls_ascii']
const LUKS_MODULES = ['dm_crypt', 'xts', 'tpm_tis', 'tpm_crb']
const MOUNTS: readonly (readonly [kind: string, folder: string])[] = [
  ['cgroup2', 'sys/fs/cgroup'],
  ['tmpfs', 'dev/shm'],
]

export async function prepareHost({ root, programs, screen }: StepAgent, tpm2_luks: boolean): Promise<void> {
  for (const folder of FOLDERS) await mkdir(join(root, folder), { recursive: true })
  for (const module of [...MODULES, ...(tpm2_luks ? LUKS_MODULES : [])]) {
    // Built into some kernels; whoever needs it says more about it.
    await programs.run('modprobe', [module]).catch((error: Error) => screen.note(error.message))
  }
  const mounted = await mountPoints(root)
  for (const [kind, folder] of MOUNTS) {
    const path = join(root, folder)
    if (mounted.includes(path)) continue
    await mkdir(path, { recursive: true })
    await programs.run('mount', ['-t', kind, kind, path])
  }
}

/** In the order in which they were mounted. */
export async function mountPoints(root: string): Promise<string[]> {
  const lines = (await readFile(join(root, 'proc/mounts'), 'utf8')).trim().split('\n')
  return lines.map((line) =>
    (line.split(' ')[1] ?? '').replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))),
  )
}
