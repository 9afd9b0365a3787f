/**
 * Files for a root that bootc has encrypted with a key in the TPM: the image's own systemd opens it, as it will at each
 * boot, while the image is still in the scratch space. The file system gets the space behind it at its first boot,
 * because it cannot be open while that is made.
 */
import { join } from 'node:path'
import type { StepAgent, StepDisk } from '@appliance/pxe/agent-api'
import { type DeployedFile, deploymentOf, writeFiles } from '../../disk-tools/steps/deployment-files.ts'
import { fileSystemOf, withMounted } from '../../disk-tools/steps/file-system.ts'
import { readTable, rootOf } from '../../disk-tools/steps/partitions.ts'
import type { InstallArguments } from './arguments.ts'
import { runInContainer } from './podman-run.ts'

const NAME = 'rackstrap-root'
const TIMEOUT_S = 300
/** Not in everyone's PATH. */
const CRYPTSETUP = 'PATH=$PATH:/usr/lib/systemd exec systemd-cryptsetup "$@"'

/**
 * systemd-growfs also makes an encrypted mapping as large as its partition. In a mount namespace of its own, as
 * /sysroot is read-only.
 */
const GROWING: readonly DeployedFile[] = [
  {
    path: '/etc/systemd/system/rackstrap-grow-root.service',
    content: `[Unit]
Description=Give the root file system the rest of its partition

[Service]
Type=oneshot
ExecStart=unshare --mount sh -c 'mount -o remount,bind,rw /sysroot && exec /usr/lib/systemd/systemd-growfs /sysroot'
`,
    mode: 0o644,
  },
  {
    path: '/etc/systemd/system/multi-user.target.d/50-rackstrap-grow-root.conf',
    content: '[Unit]\nWants=rackstrap-grow-root.service\n',
    mode: 0o644,
  },
]

/** @throws Error  the TPM does not open it; a file cannot be written */
export async function writeToEncrypted(
  { agent, disk }: { agent: StepAgent; disk: StepDisk },
  args: InstallArguments,
): Promise<void> {
  if (!args.finish) return
  const files = [...args.finish.files, ...(args.finish.grow ? GROWING : [])]
  if (files.length === 0) return
  const { node } = rootOf(await readTable(agent, disk), disk)
  const cryptsetup = (...words: string[]) =>
    runInContainer(agent, args, ['sh', '-c', CRYPTSETUP, 'sh', ...words], { timeout_s: TIMEOUT_S })
  await cryptsetup('attach', NAME, node, '-', 'tpm2-device=auto,headless=1').catch((cause: Error) => {
    throw new Error(`The TPM of this machine does not open ${node}, which it has just encrypted: ${cause.message}`, {
      cause,
    })
  })
  try {
    const open = join('/dev/mapper', NAME)
    const file_system = await fileSystemOf(agent, open)
    await withMounted({ agent, node: open, file_system }, async (folder) =>
      writeFiles(await deploymentOf(folder), files),
    )
  } finally {
    await cryptsetup('detach', NAME)
  }
}
