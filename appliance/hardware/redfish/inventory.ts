/**
 * What a BMC tells of its machine, in the shape of ironic-python-agent's inventory. What it does not tell is left out.
 * @source Ironic drivers/modules/redfish/inspect.py
 */
import type { Json } from '../../plugin-api/index.ts'
import type { Bmc } from './bmc.ts'
import { modeOf } from './boot-override.ts'
import type { Resource } from './client.ts'
import { RedfishFailure } from './failure.ts'
import { linkAt, numberAt, textAt } from './members.ts'
import { drivesOf, getAll } from './storage.ts'

const MIB_PER_GIB = 1024
const GIB = 1024 ** 3
/** Smaller ones are no place for an operating system. */
const LEAST_DISK_BYTES = 4 * GIB
const CARDS_LIMIT = 100
const MAC = /^[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}$/i
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86: 'i686',
  'x86-64': 'x86_64',
  'ARM-A32': 'arm',
  'ARM-A64': 'aarch64',
  'IA-64': 'ia64',
  MIPS32: 'mips',
  MIPS64: 'mips64',
}

export async function readInventory(bmc: Bmc): Promise<Json> {
  const system = await bmc.system()
  const { body } = system
  const memory_gib = numberAt(body, 'MemorySummary', 'TotalSystemMemoryGiB')
  const mode = modeOf(textAt(body, 'Boot', 'BootSourceOverrideMode'))
  const vendor = {
    product_name: textAt(body, 'Model'),
    serial_number: textAt(body, 'SerialNumber') ?? textAt(body, 'SKU'),
    manufacturer: textAt(body, 'Manufacturer'),
    system_uuid: textAt(body, 'UUID'),
  }
  return {
    ...(memory_gib !== undefined && { memory: { physical_mb: Math.round(memory_gib * MIB_PER_GIB) } }),
    cpu: await cpuOf(bmc, system),
    disks: await disksOf(bmc, system),
    interfaces: await interfacesOf(bmc, system),
    system_vendor: Object.fromEntries(Object.entries(vendor).filter(([, value]) => value !== undefined)),
    ...(mode && { boot: { current_boot_mode: mode } }),
  }
}

async function cpuOf(bmc: Bmc, { body }: Resource): Promise<Json> {
  const link = linkAt(body, 'Processors')
  const [first] = link === undefined ? [] : await unlessRefused(bmc, link, 1)
  const count =
    numberAt(body, 'ProcessorSummary', 'LogicalProcessorCount') ?? numberAt(body, 'ProcessorSummary', 'Count')
  const model_name = textAt(first?.body, 'Model') ?? textAt(body, 'ProcessorSummary', 'Model')
  const frequency = numberAt(first?.body, 'MaxSpeedMHz')
  return {
    count: count ?? 0,
    architecture: ARCHITECTURES[textAt(first?.body, 'InstructionSet') ?? ''] ?? '',
    ...(model_name !== undefined && { model_name }),
    ...(frequency !== undefined && { frequency }),
  }
}

async function disksOf(bmc: Bmc, system: Resource): Promise<readonly Json[]> {
  const drives = await drivesOf(bmc, system).catch(none)
  return drives.map(({ body }) => {
    const known = {
      name: textAt(body, 'Name') ?? textAt(body, 'Id'),
      size: numberAt(body, 'CapacityBytes'),
      model: textAt(body, 'Model'),
      serial: textAt(body, 'SerialNumber'),
      vendor: textAt(body, 'Manufacturer'),
    }
    const rotational =
      textAt(body, 'MediaType') === undefined ? {} : { rotational: textAt(body, 'MediaType') === 'HDD' }
    return { ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)), ...rotational }
  })
}

async function interfacesOf(bmc: Bmc, { body }: Resource): Promise<readonly Json[]> {
  const link = linkAt(body, 'EthernetInterfaces')
  const cards = link === undefined ? [] : await unlessRefused(bmc, link, CARDS_LIMIT)
  return cards.flatMap(({ body: card }): Json[] => {
    const mac = textAt(card, 'MACAddress') ?? textAt(card, 'PermanentMACAddress') ?? ''
    if (!MAC.test(mac)) return []
    const speed_mbps = numberAt(card, 'SpeedMbps')
    const mac_address = mac.toLowerCase().replaceAll('-', ':')
    return [{ mac_address, name: textAt(card, 'Id') ?? mac_address, ...(speed_mbps !== undefined && { speed_mbps }) }]
  })
}

/** Members of a collection; none where the BMC does not let them be read. */
async function unlessRefused(bmc: Bmc, link: string, limit: number): Promise<readonly Resource[]> {
  return bmc
    .members(link)
    .then((members) => getAll(bmc, members.slice(0, limit)))
    .catch(none)
}

function none(error: unknown): [] {
  if (error instanceof RedfishFailure && error.status !== undefined && error.status !== 401) return []
  throw error
}

/** Ironic's essential properties. local_gb is of the smallest disk that an operating system has room on. */
export function propertiesOf(inventory: Json): Json {
  const { memory, cpu, disks } = inventory as { memory?: Json; cpu: Json; disks: readonly Json[] }
  const sizes = disks.map(({ size }) => Number(size)).filter((size) => size >= LEAST_DISK_BYTES)
  return {
    ...(memory && { memory_mb: memory.physical_mb }),
    ...(cpu.count !== 0 && { cpus: cpu.count }),
    ...(cpu.architecture !== '' && { cpu_arch: cpu.architecture }),
    local_gb: sizes.length === 0 ? 0 : Math.max(0, Math.floor(Math.min(...sizes) / GIB) - 1),
  }
}
