/** Where the machine's own BMC is, by ipmitool and the kernel's IPMI driver. Sets nothing. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogSource } from '../commands/logs.ts'
import { messageOf } from '../errors.ts'

type Addresses = { bmc_address: string | null; bmc_v6address: string | null }

const NONE: Addresses = { bmc_address: null, bmc_v6address: null }
const CHANNELS = [1, 2, 3, 4, 5, 6, 7, 8]
const TIMEOUT_S = 10

/** @source ironic-python-agent hardware.py get_bmc_address */
export async function bmcAddresses({ root, programs, screen }: LogSource): Promise<Addresses> {
  const isThere = (path: string) =>
    access(join(root, path)).then(
      () => true,
      () => false,
    )
  if (!(await isThere('usr/bin/ipmitool')) || !(await isThere('dev/ipmi0'))) return NONE
  for (const channel of CHANNELS) {
    const ask = (...args: string[]) => programs.run('ipmitool', args, { timeout_s: TIMEOUT_S })
    try {
      const bmc_address = addressIn(await ask('lan', 'print', String(channel)))
      const v6 = await ask('lan6', 'print', String(channel), 'static_addr').catch(() => '')
      if (bmc_address !== null) return { bmc_address, bmc_v6address: v6AddressIn(v6) }
    } catch (error) {
      screen.note(`BMC channel ${channel}: ${messageOf(error)}`)
    }
  }
  return NONE
}

/** 0.0.0.0 is none. */
export function addressIn(text: string): string | null {
  const address = /^IP Address\s+: (\d+\.\d+\.\d+\.\d+)\s*$/m.exec(text)?.[1] ?? null
  return address === '0.0.0.0' ? null : address
}

export function v6AddressIn(text: string): string | null {
  const address = /^\s*Address:\s+([0-9a-f:]+)\/\d+\s*$/im.exec(text)?.[1] ?? null
  return address === '::' ? null : address
}
