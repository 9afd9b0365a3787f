/** The machine's hardware inventory, in the shape of ironic-python-agent's list_hardware_info. */
import { access, readFile } from 'node:fs/promises'
import { arch, hostname } from 'node:os'
import { join } from 'node:path'
import { listDisks } from './disks.ts'
import { physicalMemoryMb, readSystemVendor } from './dmi.ts'
import { listNetworkCards } from './network-cards.ts'

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' }

/** @param bootif  kernel parameter: the card that booted the machine */
export async function readInventory(root: string, bootif: string | undefined) {
  return {
    interfaces: await listNetworkCards(root),
    cpu: await readCpu(root),
    disks: await listDisks(root),
    memory: await readMemory(root),
    bmc_address: null,
    bmc_v6address: null,
    system_vendor: await readSystemVendor(root),
    boot: { current_boot_mode: await bootModeOf(root), pxe_interface: bootif ?? null },
    hostname: hostname(),
  }
}

export async function bootModeOf(root: string): Promise<'uefi' | 'bios'> {
  return access(join(root, 'sys/firmware/efi')).then(
    () => 'uefi' as const,
    () => 'bios' as const,
  )
}

async function readCpu(root: string) {
  const text = await readFile(join(root, 'proc/cpuinfo'), 'utf8').catch(() => '')
  const cores = text.split('\n\n').filter((block) => /^processor\s*:/m.test(block))
  const field = (block: string | undefined, name: string) =>
    new RegExp(`^${name}\\s*: *(.*)$`, 'mi').exec(block ?? '')?.[1]?.trim() ?? ''
  const sockets = new Set(cores.map((core) => field(core, 'physical id')))
  return {
    model_name: field(cores[0], 'model name'),
    frequency: field(cores[0], 'cpu MHz'),
    count: cores.length,
    architecture: ARCHITECTURES[arch()] ?? arch(),
    flags: field(cores[0], 'flags').split(/\s+/).filter(Boolean),
    socket_count: sockets.size,
  }
}

async function readMemory(root: string) {
  const text = await readFile(join(root, 'proc/meminfo'), 'utf8').catch(() => '')
  const total_kib = Number(/^MemTotal:\s*(\d+) kB/m.exec(text)?.[1] ?? 0)
  return { total: total_kib * 1024, physical_mb: (await physicalMemoryMb(root)) ?? null }
}
