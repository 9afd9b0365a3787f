/**
 * The BMC of each machine: a real ipmi_sim, whose hook reaches the machine through the porter. Knows IPMI's words,
 * not QEMU's.
 */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type IpmiSim, startIpmiSim } from '../ipmi-sim.ts'
import { type Emulator, startEmulator } from '../redfish-emulator/emulator.ts'
import type { Machine } from './machine.ts'

export const BMC_USERNAME = 'admin'
export const BMC_PASSWORD = 'rack-password'
const FIRST_PORT = 6230
/** Longest line that a hook sends. */
const LINE_LIMIT = 1_000

export const bmcPort = (index: number) => FIRST_PORT + index

/** One emulator of Redfish has all machines. */
export const REDFISH_PORT = 8443
/** Of a machine's ComputerSystem. */
export const systemUuid = (index: number) => `5ac40000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`

/** Answers `NAME get|set|check ...` of the hooks. @source ipmi_sim(1) on chassis_control */
export async function serveHooks(socketPath: string, machines: readonly Machine[]): Promise<Server> {
  rmSync(socketPath, { force: true })
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let line = ''
    socket.setEncoding('utf8').on('error', () => socket.destroy())
    socket.on('data', (text) => {
      line += text
      if (line.length > LINE_LIMIT) return void socket.destroy()
      const end = line.indexOf('\n')
      if (end < 0) return
      const [name, verb = '', ...words] = line.slice(0, end).split(' ')
      const machine = machines.find((one) => one.name === name)
      const answer = machine ? obey(machine, verb, words) : Promise.reject(new Error(`no machine ${name}`))
      answer.then(
        (text) => socket.end(text),
        () => socket.destroy(),
      )
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve))
  return server
}

async function obey(machine: Machine, verb: string, words: readonly string[]): Promise<string> {
  if (verb === 'get') return words.map((word) => `${word}:${read(machine, word)}\n`).join('')
  if (verb === 'set') {
    for (let at = 0; at + 1 < words.length; at += 2) await change(machine, words[at] ?? '', words[at + 1] ?? '')
  }
  return '\n'
}

function read(machine: Machine, name: string): string {
  if (name === 'power') return machine.power === 'on' ? '1' : '0'
  if (name === 'boot') return machine.boot === 'network' ? 'pxe' : machine.boot === 'cdrom' ? 'cdrom' : 'default'
  return '0'
}

async function change(machine: Machine, name: string, value: string): Promise<void> {
  if (name === 'power') return value === '1' ? machine.powerOn() : machine.powerOff()
  if (name === 'boot') return machine.setBootDevice(value === 'pxe' ? 'network' : value === 'cdrom' ? 'cdrom' : 'disk')
  if (name === 'cdrom') return machine.insert(value === '-' ? undefined : value)
  if (name === 'reset') return machine.reset()
  if (name === 'shutdown') return machine.softOff()
}

/** bash alone: ipmi_sim waits for its hook, and every command to the BMC would wait with it. */
const hookText = (machine: Machine, hook_port: number) => `#!/bin/bash
exec 3<> /dev/tcp/127.0.0.1/${hook_port} || exit 1
shift
echo "${machine.name} $*" >&3
cat <&3
`

export function startBmc(
  machine: Machine,
  place: { port: number; hook_port: number; netns: string },
): Promise<IpmiSim> {
  const folder = join(machine.options.folder, 'bmc')
  mkdirSync(folder, { recursive: true })
  const hook = join(folder, 'hook')
  writeFileSync(hook, hookText(machine, place.hook_port))
  chmodSync(hook, 0o755)
  return startIpmiSim({
    folder,
    port: place.port,
    username: BMC_USERNAME,
    password: BMC_PASSWORD,
    hook,
    serial: `127.0.0.1:${machine.options.console_port}`,
    netns: place.netns,
  })
}

/** The machines' BMCs in Redfish, beside those in IPMI. */
export function startRedfish(
  machines: readonly Machine[],
  place: { folder: string; hook_port: number; netns: string },
  signal: AbortSignal,
): Promise<Emulator> {
  const systems = machines.map(({ name, options: { mac, firmware } }, index) => ({
    ...{ uuid: systemUuid(index), name, mac },
    boot_mode: firmware === 'uefi' ? ('UEFI' as const) : ('Legacy' as const),
  }))
  const account = { username: BMC_USERNAME, password: BMC_PASSWORD }
  return startEmulator({ ...place, ...account, port: REDFISH_PORT, systems }, signal)
}
