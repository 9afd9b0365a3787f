/** The rack's steel: network, machines, their BMCs, and the ear that hears them phone home. Runs no appliance. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { bmcPort, serveHooks, startBmc, startRedfish } from './bmc.ts'
import { BootedMachines, type BootedOptions } from './booted.ts'
import { type DiskBus, type Firmware, Machine } from './machine.ts'
import { createNetwork, type Network } from './network.ts'

export type HardwareOptions = {
  /** Namespace, and last part of the folder's name. */
  name: string
  /** Disks and sockets; short, because paths of sockets are. */
  folder: string
  /** Consoles are written here. */
  logs: string
  machines: number
  firmware: Firmware
  memory_mib: number | readonly number[]
  disk_bytes: number
  disk_bus?: DiskBus | undefined
  screens?: boolean | undefined
  /** The machines' BMCs speak Redfish, too. */
  redfish?: boolean | undefined
  /** When machines go on from a booted agent; see booted.ts. */
  booted?: BootedOptions | undefined
  signal: AbortSignal
}
/** `body`: what an operating system that POSTs has to tell; else empty. */
export type PhoneHome = { time: string; ip: string; mac?: string; path: string; body: string }
export type Hardware = {
  network: Network
  machines: readonly Machine[]
  /** Unix socket behind which the appliance's API is. */
  apiSocket: string
  onPhoneHome(listener: (call: PhoneHome) => void): void
}

const FIRST_CONSOLE_PORT = 7000
const PORTER_DEADLINE_MS = 15_000

/** @param stack  takes everything that has to be ended */
export async function startHardware(options: HardwareOptions, stack: AsyncDisposableStack): Promise<Hardware> {
  const { name, folder, signal } = options
  const network = await createNetwork(name, options.machines, signal)
  stack.defer(() => network.remove())
  const machines = network.taps.map((tap, index) => createMachine(options, network, tap, index))
  stack.defer(async () => void (await Promise.all(machines.map((machine) => machine.powerOff()))))
  const sockets = { api: join(folder, 'api'), control: join(folder, 'control') }
  const hooks = await serveHooks(sockets.control, machines)
  stack.defer(() => void hooks.close())
  const porter = await startPorter(network, sockets, signal)
  stack.defer(porter.stop)
  const place = { hook_port: porter.hook_port, netns: name }
  const bmcs = await Promise.all(
    machines.map((machine, index) => startBmc(machine, { ...place, port: bmcPort(index) })),
  )
  stack.defer(async () => void (await Promise.all(bmcs.map((bmc) => bmc.stop()))))
  if (options.redfish) {
    const emulator = await startRedfish(machines, { ...place, folder: join(folder, 'redfish') }, signal)
    stack.defer(() => emulator.stop())
  }
  return { network, machines, apiSocket: sockets.api, onPhoneHome: porter.onPhoneHome }
}

function createMachine(options: HardwareOptions, network: Network, tap: string, index: number): Machine {
  const name = `rack-${index + 1}`
  const folder = join(options.folder, name)
  mkdirSync(folder, { recursive: true })
  return new Machine({
    name,
    mac: `52:54:00:22:${(index >> 8).toString(16).padStart(2, '0')}:${((index + 1) & 255).toString(16).padStart(2, '0')}`,
    firmware: options.firmware,
    memory_mib: memoryOf(options, index),
    disk_bytes: options.disk_bytes,
    disk_bus: options.disk_bus,
    tap,
    enter: network.enter,
    folder,
    console: join(options.logs, `${name}.console.log`),
    console_port: FIRST_CONSOLE_PORT + index,
    screen: options.screens,
    booted: options.booted && new BootedMachines(options.booted),
  })
}

function memoryOf({ memory_mib }: HardwareOptions, index: number): number {
  const one = typeof memory_mib === 'number' ? memory_mib : memory_mib[index]
  if (one === undefined) throw new Error(`machine ${index + 1} is told no memory_mib`)
  return one
}

type Porter = Pick<Hardware, 'onPhoneHome'> & { hook_port: number; stop(): Promise<void> }

async function startPorter(
  network: Network,
  sockets: { api: string; control: string },
  signal: AbortSignal,
): Promise<Porter> {
  const program = join(import.meta.dirname, 'porter.ts')
  const [command = '', ...args] = [...network.enter, process.execPath, program, sockets.api, sockets.control]
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'exit').catch(() => {})
  const listeners: ((call: PhoneHome) => void)[] = []
  const ready = Promise.withResolvers<number>()
  let words = ''
  child.stderr.on('data', (text) => (words += text))
  createInterface({ input: child.stdout }).on('line', (line) => {
    const word = JSON.parse(line)
    if (word.event === 'ready') ready.resolve(word.hook_port)
    else for (const listener of listeners) listener(word)
  })
  ended.then(() => ready.reject(new Error(`the rack's porter ended: ${words}`)))
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(PORTER_DEADLINE_MS)])
  deadline.addEventListener('abort', () => ready.reject(new Error("the rack's porter did not start in time")))
  return {
    hook_port: await ready.promise,
    onPhoneHome: (listener) => void listeners.push(listener),
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
