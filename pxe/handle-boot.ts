/**
 * What a machine gets for a path under http_url. Reads no request and writes no answer: that is the server's affair.
 */
import { join } from 'node:path'
import { checkRamdisk, isLasting } from './check-ramdisk.ts'
import { type PxeConfig, PxeError } from './config.ts'
import { renderDiscoveryScript, renderFirstScript, renderIpxeScript, renderRefusal } from './ipxe-script.ts'
import type { DeployIso, DeployIsos } from './iso/deploy-iso.ts'
import { parseMac } from './mac.ts'
import type { MachineBoot } from './machine-boot.ts'
import { MACHINE_FILES, packMachineFiles } from './machine-files.ts'
import { INSPECT_LAYER } from './own-layers.ts'
import { FILE_NAME, RAMDISK_LIST } from './ramdisk-files.ts'

export type BootAnswer =
  | {
      kind: 'script'
      text: string
      /** Of a machine's own script; not of the first one, which is the same for all. */
      machine?: { mac: string; boot: MachineBoot['kind']; node?: string; refused?: string }
      /** The refusal is of what this box holds, whoever asked and however, and stays until somebody mends it. */
      lasts?: boolean
    }
  | { kind: 'file'; name: string; path: string }
  /** The deploy ramdisk for firmware to boot, of one machine. */
  | { kind: 'iso'; name: string; iso: DeployIso; node: string }
  /** Of one machine alone. */
  | { kind: 'bytes'; name: string; content: Buffer; machine: { mac: string; node: string; files: number } }

/**
 * What the node's machine is to boot, for whoever knows the number of its boot; undefined: nobody is to have it now.
 * Its BMC asks, from another address than the machine.
 */
export type IsoBootOf = (node: string, number: string) => Extract<MachineBoot, { kind: 'agent' }> | undefined
/**
 * @param mac  lower case with colons
 * @param address  from which it is asked, as plainAddress has it
 */
export type MachineBootOf = (mac: string, address: string) => MachineBoot | Promise<MachineBoot>

/**
 * For a machine that no port is of, once it has been asked for each of its cards.
 * @returns undefined  it boots nothing of this box
 */
export type DiscoveryOf = (
  mac: string,
  address: string,
) => Promise<{ parameters: readonly (readonly [string, string])[] } | undefined>

export type BootSources = {
  machineBootOf: MachineBootOf
  isoBootOf?: IsoBootOf | undefined
  /** Left out: an unknown machine boots nothing of this box. */
  discoveryOf?: DiscoveryOf | undefined
  isos: DeployIsos
}

/**
 * /boot.ipxe, /boot/<mac>, /boot/<mac>.cpio, /boot/<mac>/<key>.cpio, /boot/files/<name>, /boot/discover/<mac>,
 * /boot/iso/<node>/<number>.iso.
 * @param address  of who asks, as plainAddress has it
 * @returns undefined  a path that is none of these
 */
export async function handleBoot(
  { path, address }: { path: string; address: string },
  config: PxeConfig,
  { machineBootOf, isoBootOf, discoveryOf, isos }: BootSources,
): Promise<BootAnswer | undefined> {
  const plain = pathOf(path)
  const [, node, number] = /^\/boot\/iso\/([0-9a-f-]{36})\/(~[\w-]+)\.iso$/.exec(plain) ?? []
  if (node !== undefined && number !== undefined) return isoOf(isoBootOf?.(node, number), isos)
  const [, unknown] = /^\/boot\/discover\/([^/]+)$/.exec(plain) ?? []
  if (unknown !== undefined) return discoveryScript({ mac: parseMac(unknown), address }, config, discoveryOf)
  const [, its = '', key] = /^\/boot\/([^/]+)\/(~[\w-]+)\.cpio$/.exec(plain) ?? []
  if (key !== undefined) return machineFiles({ mac: parseMac(its), key, address }, machineBootOf)
  const [, folder, name, more] = /^\/(boot\.ipxe|boot\/(?:files\/)?)([^/]*)(\/.*)?$/.exec(plain) ?? []
  if (folder === undefined || name === undefined || more !== undefined) return undefined
  if (folder === 'boot/files/') return bootFile(name, config)
  if (folder === 'boot.ipxe')
    return name === ''
      ? { kind: 'script', text: renderFirstScript(config.http_url, { discovers: discoveryOf !== undefined }) }
      : undefined
  const [, bare = '', archive] = /^(.*?)(\.cpio)?$/.exec(name) ?? []
  const mac = parseMac(bare)
  if (mac === undefined) return undefined
  if (archive !== undefined) return machineFiles({ mac, address }, machineBootOf)
  return machineScript(mac, config, await machineBootOf(mac, address))
}

async function isoOf(boot: ReturnType<IsoBootOf>, isos: DeployIsos): Promise<BootAnswer | undefined> {
  return boot && { kind: 'iso', name: 'deploy.iso', iso: await isos.of(boot), node: boot.node }
}

async function discoveryScript(
  { mac, address }: { mac: string | undefined; address: string },
  config: PxeConfig,
  discoveryOf: DiscoveryOf | undefined,
): Promise<BootAnswer | undefined> {
  const boot = mac === undefined ? undefined : await discoveryOf?.(mac, address)
  if (mac === undefined || !boot) return undefined
  const layers = [INSPECT_LAYER]
  const ramdisk = await checkRamdisk(config.ramdisk_path, { layers })
  const text = renderDiscoveryScript({ ...boot, layers }, { http_url: config.http_url, mac, ramdisk })
  return { kind: 'script', text, machine: { mac, boot: 'unknown' } }
}

type FilesAsked = { mac: string | undefined; key?: string; address: string }

/** Only while the machine is to boot the agent. */
async function machineFiles(
  { mac, key, address }: FilesAsked,
  machineBootOf: MachineBootOf,
): Promise<BootAnswer | undefined> {
  if (mac === undefined) return undefined
  const boot = await machineBootOf(mac, address)
  if (boot.kind !== 'agent' || !boot.files?.length || boot.files_key !== key) return undefined
  const content = await packMachineFiles(boot.files)
  return { kind: 'bytes', name: MACHINE_FILES, content, machine: { mac, node: boot.node, files: boot.files.length } }
}

function pathOf(path: string): string {
  const [bare = ''] = path.split(/[?#]/, 1)
  try {
    return decodeURIComponent(bare)
  } catch {
    // A broken escape names nothing of ours.
    return ''
  }
}

async function machineScript(mac: string, config: PxeConfig, boot: MachineBoot): Promise<BootAnswer> {
  const machine = { mac, boot: boot.kind, ...(boot.kind === 'unknown' ? {} : { node: boot.node }) }
  try {
    const ramdisk = boot.kind === 'agent' ? await checkRamdisk(config.ramdisk_path, boot) : NO_RAMDISK
    return { kind: 'script', text: renderIpxeScript(boot, { http_url: config.http_url, mac, ramdisk }), machine }
  } catch (error) {
    if (!(error instanceof PxeError) || boot.kind === 'unknown') throw error
    const text = renderRefusal(boot, error.message)
    return { kind: 'script', text, machine: { ...machine, refused: error.message }, lasts: isLasting(error) }
  }
}
/** Scripts without an agent need none. */
const NO_RAMDISK = { kernel: '', core: [], layers: {}, takes_layers: true, digest: '', kernel_params: '' } as const

/**
 * The set of files before this one stays for machines that are just booting it: so anything in the ramdisk's folder,
 * by its bare name, but the list of them and what is being written.
 */
function bootFile(name: string, config: PxeConfig): BootAnswer | undefined {
  // For UEFI HTTP boot.
  if (name === config.uefi_ipxe_bootfile_name) return { kind: 'file', name, path: join(config.ipxe_path, name) }
  if (!FILE_NAME.test(name) || name === RAMDISK_LIST) return undefined
  return { kind: 'file', name, path: join(config.ramdisk_path, name) }
}
