/**
 * A virtual rack: steel and an appliance in a network of their own, for the command, the end-to-end tests, and
 * experiments.
 */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Appliance } from './appliance.ts'
import { type ConfigChange, containerConfig, mergeConfig } from './appliance-config.ts'
import { baremetal, CLIENT_ENVIRONMENT } from './baremetal.ts'
import { CHECKOUT, cacheFolder, createLogFolder } from './cache.ts'
import { RackFailed } from './failure.ts'
import { guardRack } from './guard.ts'
import { clearLeftovers, rackFolder, rackName } from './leftovers.ts'
import type { Ramdisk } from './ramdisk.ts'
import { run } from './run-program.ts'
import type { BootedOptions } from './steel/booted.ts'
import { type Hardware, startHardware } from './steel/hardware.ts'
import type { DiskBus, Firmware } from './steel/machine.ts'
import { ADDRESS } from './steel/network.ts'
import { UpstreamRegistry } from './upstream-registry.ts'

export type RackOptions = {
  ramdisk: Ramdisk
  /** Folders that file:// images may lie in. */
  images: readonly string[]
  firmware?: Firmware
  /** Machines in the rack; 1. */
  machines?: number
  /** Of each; or of one after the other. */
  memory_mib?: number | readonly number[]
  disk_bytes?: number
  /** What their disks are behind; virtio. QEMU wakes up no machine with an NVMe disk: not with `resumes`. */
  disk_bus?: DiskBus
  /** Machines have graphics cards. */
  screens?: boolean
  /** The machines' BMCs speak Redfish, too, on REDFISH_PORT. */
  redfish?: boolean
  /**
   * Host of container references: the rack gets an upstream registry of that name, and the appliance a mirror of it.
   */
  containers?: { host: string; sync?: string; isPrivate?: boolean }
  /** Over the rack's own configuration of the appliance. */
  config?: ConfigChange
  /**
   * Machines go on from a booted agent where one was kept, instead of booting; firmware and network boot are not what
   * is tested then.
   */
  resumes?: boolean
  /** Folder for the logs; a new one in the cache when left out. */
  logs?: string
  signal: AbortSignal
}

/** Everything in it ends when it is disposed of. */
export type Rack = AsyncDisposable & {
  name: string
  folder: string
  /** appliance.log and a console log for each machine; they stay. */
  logs: string
  hardware: Hardware
  appliance: Appliance
  ramdisk: Ramdisk
  firmware: Firmware
  /** When there are `containers`. */
  upstream: UpstreamRegistry | undefined
  /** A script that runs a command in the rack's network, with the client's environment. */
  enterScript: string
  /** The real client. @throws ClientFailed */
  baremetal(...args: string[]): Promise<string>
  /** Our own command line, about the appliance that runs here. @throws CommandFailed */
  rackstrap(args: readonly string[], signal?: AbortSignal): Promise<string>
}

/** Hardware types that are not enabled by themselves. */
const REDFISH: ConfigChange = { DEFAULT: { enabled_hardware_types: 'ipmi,redfish,fake-hardware' } }
const DEFAULT_MEMORY_MIB = 1024
export const DEFAULT_DISK_BYTES = 4 * 1024 ** 3

let racks = 0

/** @throws Error  in words for the person at the terminal; nothing is left running then */
export async function startRack(options: RackOptions): Promise<Rack> {
  const { signal, firmware = 'bios' } = options
  await clearLeftovers()
  const name = rackName(racks++)
  const folder = rackFolder(name)
  const logs = options.logs ?? (await createLogFolder(name))
  const stack = new AsyncDisposableStack()
  try {
    stack.defer(guardRack(name, folder))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    await mkdir(folder, { recursive: true, mode: 0o755 })
    const { machines = 1, memory_mib = DEFAULT_MEMORY_MIB, disk_bytes = DEFAULT_DISK_BYTES } = options
    const place = { name, folder, logs, signal }
    const booted = options.resumes ? bootedIn(name) : undefined
    const hardware = await startHardware(
      {
        ...place,
        machines,
        firmware,
        memory_mib,
        disk_bytes,
        disk_bus: options.disk_bus,
        screens: options.screens,
        redfish: options.redfish,
        booted,
      },
      stack,
    )
    const { enter } = hardware.network
    const upstream = options.containers && (await startUpstream({ ...place, enter, ...options.containers }, stack))
    const containers = options.containers ? containerConfig(options.containers.host, options.containers.sync) : {}
    const appliance = new Appliance({
      folder: join(folder, 'appliance'),
      log: join(logs, 'appliance.log'),
      ramdisk: options.ramdisk.folder,
      images: options.images,
      config: [containers, booted ? RESUMING : {}, options.redfish ? REDFISH : {}, options.config ?? {}].reduce(
        (config, change) => mergeConfig(config, change),
      ),
      enter,
      apiSocket: hardware.apiSocket,
    })
    stack.defer(() => appliance.stop())
    await appliance.start(signal).catch((error) => {
      throw new RackFailed(error.message, appliance.options.log, { cause: error })
    })
    return {
      ...{ name, folder, logs, hardware, appliance, ramdisk: options.ramdisk, firmware, upstream },
      enterScript: await writeEnterScript(folder, enter),
      baremetal: (...args) => baremetal(enter, args, { signal }),
      rackstrap: (args, signal) =>
        run(join(CHECKOUT, 'appliance/rackstrap'), [...args, '--config', appliance.configFile], { signal }),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

/** The shell that they are woken up by. */
const RESUMING: ConfigChange = {
  pxe: { kernel_append_params: 'nofb vga=normal agent-shell=1' },
  // What is in a machine's memory is the number of an earlier boot, and who asks for its script is the rack.
  api: { check_boot_number: 'False', check_machine_address: 'False' },
}

function bootedIn(namespace: string): BootedOptions {
  const fetchScript = ['netns', 'exec', namespace, 'curl', '--silent', '--fail', '--max-time', '10']
  return {
    folder: join(cacheFolder(), 'booted'),
    scriptFor: (mac) => run('ip', [...fetchScript, `http://${ADDRESS}:8080/boot/${mac.replaceAll(':', '-')}`]),
  }
}

type Place = { folder: string; logs: string; enter: readonly string[]; isPrivate?: boolean; signal: AbortSignal }

async function startUpstream(
  { folder, logs, enter, isPrivate, signal }: Place,
  stack: AsyncDisposableStack,
): Promise<UpstreamRegistry> {
  const log = join(logs, 'upstream.log')
  const upstream = new UpstreamRegistry({ folder: join(folder, 'upstream'), log, enter, isPrivate, signal })
  stack.defer(() => upstream.cut())
  await upstream.start()
  return upstream
}

async function writeEnterScript(folder: string, enter: readonly string[]): Promise<string> {
  const path = join(folder, 'enter')
  const environment = Object.entries(CLIENT_ENVIRONMENT).map(([name, value]) => `${name}=${value}`)
  await writeFile(path, `#!/bin/sh\nexec ${[...enter, 'env', ...environment].join(' ')} "$@"\n`)
  await chmod(path, 0o755)
  return path
}
