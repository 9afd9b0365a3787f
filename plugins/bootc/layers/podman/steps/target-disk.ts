/** The disk that gets the operating system. */
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { StepAgent, StepDisk } from '@appliance/pxe/agent-api'
import type { InstallArguments } from './arguments.ts'

/** In the appliance's guest, where the scratch disk is the other one. */
const GUEST_DISK = '/dev/vda'
const SECTOR_BYTES = 512

/** @throws Error  there is none */
export async function targetDisk(agent: StepAgent, scratch: InstallArguments['scratch']): Promise<StepDisk> {
  if (scratch === 'target') return agent.rootDevice()
  const folder = join(agent.root, 'sys/block', basename(GUEST_DISK))
  const number = async (path: string) => Number(await readFile(join(folder, path), 'utf8'))
  const size_bytes = (await number('size')) * SECTOR_BYTES
  const logical_sector_bytes = await number('queue/logical_block_size')
  return { name: GUEST_DISK, size_bytes, logical_sector_bytes, model: null, serial: null, rotational: false }
}
