/** The folder of TFTP: holds iPXE's boot files, written whole, and only when they have changed. */

import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { leadsNowhere } from '@appliance/ground/errno'
import { type PxeConfig, PxeError } from '../config.ts'
import { writeDurably } from '../ramdisk/files.ts'
import { FILE_NAME } from '../ramdisk-files.ts'

/** What a site may name by its own DHCP server; there only when iPXE's package has it. */
const FURTHER_FILES = ['undionly.kpxe', 'snponly.efi', 'ipxe.efi']

/** @throws PxeError  a boot file that the configuration names is not there, or cannot be written */
export async function fillTftpRoot(config: PxeConfig): Promise<void> {
  const needed = {
    ipxe_bootfile_name: config.ipxe_bootfile_name,
    uefi_ipxe_bootfile_name: config.uefi_ipxe_bootfile_name,
  }
  for (const [option, name] of Object.entries(needed)) {
    if (!FILE_NAME.test(name))
      throw new PxeError(`[pxe] ${option} is ${JSON.stringify(name)}: give the name of a file, without folders.`)
    if (!(await copyFile(name, config))) {
      throw new PxeError(
        `[pxe] ${option} is ${name}, and ${config.ipxe_path} has no such file. Install iPXE (Debian: apt install ipxe), or correct [pxe] ipxe_path.`,
      )
    }
  }
  const further = FURTHER_FILES.filter((name) => !Object.values(needed).includes(name))
  for (const name of further) await copyFile(name, config)
}

/** @returns false  there is none */
async function copyFile(name: string, { ipxe_path, tftp_root }: PxeConfig): Promise<boolean> {
  const content = await readFile(join(ipxe_path, name)).catch((error: NodeJS.ErrnoException) => {
    if (leadsNowhere(error)) return undefined
    throw new PxeError(
      `${join(ipxe_path, name)} cannot be read (${error.code}). Correct its mode, or [pxe] ipxe_path.`,
      { cause: error },
    )
  })
  if (content === undefined) return false
  const target = join(tftp_root, name)
  try {
    await mkdir(tftp_root, { recursive: true, mode: 0o755 })
    const present = await readFile(target).catch(() => undefined)
    if (!present?.equals(content)) await writeDurably(target, content)
    return true
  } catch (cause) {
    throw new PxeError(`[pxe] tftp_root: ${target} cannot be written (${(cause as NodeJS.ErrnoException).code}).`, {
      cause,
    })
  }
}

/** Whether dnsmasq can read the boot files after it has given up root. */
export async function isOpenToAll({ tftp_root, ...config }: PxeConfig): Promise<boolean> {
  const names = [config.ipxe_bootfile_name, config.uefi_ipxe_bootfile_name]
  for (const name of names) if (!(await hasMode(join(tftp_root, name), 0o004))) return false
  if (!(await hasMode(tftp_root, 0o005))) return false
  for (let path = tftp_root; path !== dirname(path); path = dirname(path)) {
    if (!(await hasMode(dirname(path), 0o001))) return false
  }
  return true
}

const hasMode = async (path: string, wanted: number) => ((await stat(path)).mode & wanted) === wanted
