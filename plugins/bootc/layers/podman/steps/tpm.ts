/** Whether this machine can keep the key of an encrypted disk: looked at before anything is pulled or erased. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { StepAgent } from '@appliance/pxe/agent-api'

const FOLDER = 'sys/class/tpm'
/** A chip answers a moment after its driver has been loaded. */
const ATTEMPTS = 8
const PAUSE_MS = 250

/** @throws Error  it has no TPM 2.0 */
export async function requireTpm2({ root }: Pick<StepAgent, 'root'>): Promise<void> {
  let versions = await versionsIn(root)
  for (let attempt = 1; versions.length === 0 && attempt < ATTEMPTS; attempt++) {
    await pause(PAUSE_MS)
    versions = await versionsIn(root)
  }
  if (versions.includes('2')) return
  const found = versions.length === 0 ? 'has no TPM that its kernel knows' : 'has a TPM of version 1.2 only'
  throw new Error(
    `This machine ${found}, and bootc_tpm2_luks wants a TPM 2.0: switch it on in the firmware's setup, or unset bootc_tpm2_luks. Nothing was changed on its disk.`,
  )
}

async function versionsIn(root: string): Promise<string[]> {
  const names = await readdir(join(root, FOLDER)).catch(() => [])
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(root, FOLDER, name, 'tpm_version_major'), 'utf8').catch(() => '1')
      return text.trim()
    }),
  )
}
