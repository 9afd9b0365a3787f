/** A BMC that speaks IPMI: ipmi_sim of OpenIPMI. What it switches on and off is the hook's affair. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { probeBmc } from '../../appliance/hardware/ipmi/rmcp-probe.ts'

export type IpmiSimOptions = {
  /** Its own: configuration and state go there. */
  folder: string
  port: number
  /** 127.0.0.1 when left out. */
  address?: string
  username: string
  password: string
  /** 32 hex digits: what a session needs beside the password. */
  kg_key?: string
  /** Called as `HOOK 0x20 get|set|check power|boot|reset|shutdown ...`; answers `get` with NAME:VALUE lines. */
  hook: string
  /** host:port of the machine's serial line, for serial over LAN. */
  serial?: string
  /** Network namespace to run in; that of the caller when left out. */
  netns?: string
}
export type IpmiSim = { stop(): Promise<void> }

const START_DEADLINE_MS = 5_000
const AUTHS = 'none md2 md5 straight'

function configuration({
  address = '127.0.0.1',
  port,
  username,
  password,
  kg_key,
  hook,
  serial,
}: IpmiSimOptions): string {
  return [
    'name "bmc"',
    'set_working_mc 0x20',
    'startlan 1',
    `addr ${address} ${port}`,
    'priv_limit admin',
    ...['callback', 'user', 'operator', 'admin'].map((level) => `allowed_auths_${level} ${AUTHS}`),
    'guid a123456789abcdefa123456789abcdef',
    ...(kg_key ? [`bmc_key ${kg_key}`] : []),
    'endlan',
    ...(serial ? [`sol "telnet:${serial}" 115200`] : []),
    `chassis_control "${hook} 0x20"`,
    `user 1 false "" "" user 10 ${AUTHS}`,
    `user 2 true "${username}" "${password}" admin 10 ${AUTHS}`,
    '',
  ].join('\n')
}
/** A management controller at 0x20 that knows chassis commands, and a system event log. */
const EMULATOR = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`

/** Looks from outside whether somebody listens in the namespace of that process. */
async function holdsUdpPort(pid: number, port: number): Promise<boolean> {
  await setTimeout(20)
  const table = await readFile(`/proc/${pid}/net/udp`, 'utf8').catch(() => '')
  return table.toLowerCase().includes(`:${port.toString(16).padStart(4, '0')} 00000000:0000`)
}

/** @throws what ipmi_sim wrote, when it does not answer in time */
export async function startIpmiSim(options: IpmiSimOptions): Promise<IpmiSim> {
  const { folder, port, address = '127.0.0.1' } = options
  const state = join(folder, 'ipmi-state')
  mkdirSync(state, { recursive: true })
  writeFileSync(join(folder, 'lan.conf'), configuration(options))
  writeFileSync(join(folder, 'emulator'), EMULATOR)
  const args = ['ipmi_sim', '-c', 'lan.conf', '-f', 'emulator', '-s', state, '-n']
  const [command = '', ...rest] = options.netns ? ['ip', 'netns', 'exec', options.netns, ...args] : args
  const child = spawn(command, rest, {
    detached: options.netns !== undefined,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let words = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (words += chunk))
  const ended = once(child, 'exit').catch((error) => (words += error))
  const signal = AbortSignal.timeout(START_DEADLINE_MS)
  const answers = async () =>
    options.netns
      ? holdsUdpPort(child.pid ?? 0, port)
      : (await probeBmc(address, port, { timeout_ms: 100, signal })).found === 'ipmi'
  while (!(await answers())) {
    if (!signal.aborted && child.exitCode === null && child.pid !== undefined) continue
    child.kill('SIGKILL')
    throw new Error(`ipmi_sim did not start on ${address} port ${port}: ${words || 'no word from it'}`)
  }
  return {
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
