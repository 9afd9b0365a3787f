/** Extension `log`: what an operator needs to find out why a deploy failed, as one archive. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { messageOf } from '../errors.ts'
import { readInventory } from '../hardware/inventory.ts'
import type { CommandDefinition } from '../protocol/commands.ts'
import type { AgentContext } from './context.ts'
import { packTar } from './tar.ts'

const FILES = [
  'var/log/agent.log',
  'run/init.log',
  'run/agent/output.log',
  'proc/cmdline',
  'proc/mounts',
  'proc/partitions',
  'proc/meminfo',
  'proc/modules',
]
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  dmesg: ['dmesg'],
  ip_addr: ['ip', 'addr'],
  ip_route: ['ip', 'route'],
  ps: ['ps'],
  df: ['df'],
}
const FILE_LIMIT_BYTES = 2 * 1024 * 1024
/** Given on the command line: a token, passwords within addresses. */
const SECRETS = /(ipa-agent-token=)(?:"[^"]*"|\S+)|(:\/\/)[^/@\s]+(?=@)/g

export function logCommands(agent: AgentContext): Record<string, CommandDefinition> {
  return { collect_system_logs: { kind: 'sync', run: () => collectSystemLogs(agent) } }
}

/** What looks at the machine is handed: without a node, which an inspection does not know. */
export type LogSource = Pick<AgentContext, 'root' | 'programs' | 'options' | 'screen'>

/** A file that cannot be read holds the reason instead. */
export async function collectSystemLogs({ root, programs, options }: LogSource): Promise<{ system_logs: string }> {
  const files = new Map<string, Buffer>()
  const add = async (name: string, read: () => Promise<string>) => {
    const text = await read().catch((error: unknown) => `${messageOf(error)}\n`)
    files.set(name, Buffer.from(text.replace(SECRETS, '$1$2***')).subarray(-FILE_LIMIT_BYTES))
  }
  for (const file of FILES) await add(file, () => readFile(join(root, file), 'utf8'))
  for (const [name, [program = '', ...args]] of Object.entries(PROGRAMS))
    await add(name, () => programs.run(program, args))
  await add('inventory.json', async () => JSON.stringify(await readInventory(root, options.bootif), null, 2))
  return { system_logs: (await promisify(gzip)(packTar(files))).toString('base64') }
}
