/** What a machine is given when its firmware asks on the network. Knows no script: pxe renders those. */
import {
  type KernelParameter,
  type MachineBoot,
  type MachineFile,
  PxeError,
  parseKernelParameters,
} from '@appliance/pxe'
import type { ProcedureKind } from '../../plugin-api/index.ts'
import type { Boot, InstanceBoot } from '../../records/kinds/boot.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'
import { underWay } from '../procedures/procedure.ts'
import { isFastTracked } from './fast-tracked.ts'
import { layersFor } from './layers.ts'
import { isSameKey } from './window.ts'

export type BootParts = Pick<Parts, 'store' | 'config' | 'plugins' | 'api_url' | 'option_values' | 'images'>

/** Base of the API as agents are told it, without a slash at the end. */
export const agentApiUrl = ({ config, api_url }: Pick<Parts, 'config' | 'api_url'>): string =>
  (config.deploy.external_callback_url ?? api_url()).replace(/\/+$/, '')

/** @param mac  lower case with colons */
export function machineBootOf(parts: BootParts, mac: string): MachineBoot {
  const port = parts.store.ports.by('address', mac)
  if (!port) return { kind: 'unknown', mac }
  const node = parts.store.nodes.find(port.node_uuid)
  const who = { node: node.uuid, name: node.name ?? node.uuid }
  if (!port.pxe_enabled) {
    return { kind: 'disk', ...who, why: `its port ${mac} has pxe_enabled false.` }
  }
  const boot = parts.store.boots.get(node.uuid)
  const procedure = underWay(node)
  if (boot?.agent && procedure) return agentBoot(parts, node, boot, procedure.kind)
  if (boot?.instance) return { ...who, ...instanceOf(parts, boot.instance) }
  return { kind: 'disk', ...who, why: whyDisk(node) }
}

type AgentBoot = Extract<MachineBoot, { kind: 'agent' }>

function agentBoot(parts: BootParts, node: Node, boot: Boot, procedure: ProcedureKind): AgentBoot {
  return {
    kind: 'agent',
    node: node.uuid,
    name: node.name ?? node.uuid,
    parameters: agentParameters(parts, node, boot),
    layers: layersFor(parts, node, procedure),
    ...archOf(node),
    ...filesFor(node, boot),
  }
}

/** For a BMC, which knows the number of the boot that this box has begun. undefined: there is no such boot. */
export function isoBootOf(parts: BootParts, uuid: string, number: string): AgentBoot | undefined {
  const boot = parts.store.boots.get(uuid)
  const node = parts.store.nodes.get(uuid)
  const procedure = node && underWay(node)
  if (!boot?.agent || !node || !procedure || !isSameKey(boot.window?.number_secret ?? '', number)) return undefined
  return agentBoot(parts, node, boot, procedure.kind)
}

function instanceOf({ images }: BootParts, instance: InstanceBoot) {
  if (instance.kind === 'iso') {
    const { iso, floppy } = instance
    const floppy_url = floppy ? { floppy_url: images.floppyUrl(iso.name) } : {}
    return { kind: 'iso' as const, iso_url: images.fileUrl(iso.name), ...floppy_url }
  }
  return {
    kind: 'kernel' as const,
    kernel_url: images.fileUrl(instance.kernel.name),
    ramdisk_urls: instance.ramdisks.map(({ name }) => images.fileUrl(name)),
    parameters: parametersOf(instance.parameters),
  }
}

export const archOf = ({ properties: { cpu_arch } }: Node): { cpu_arch?: string } =>
  typeof cpu_arch === 'string' ? { cpu_arch } : {}

/** Until its agent has called: nobody else is to have them after that. */
function filesFor(
  { driver_internal_info }: Node,
  { files_secret: files, window }: Boot,
): { files?: readonly MachineFile[]; files_key?: string } {
  if (files.length === 0 || driver_internal_info.agent_url !== undefined) return {}
  return window?.number_secret ? { files, files_key: window.number_secret } : { files }
}

function whyDisk(node: Node): string {
  const state = node.provision_state
  const procedure = underWay(node)
  if (procedure) return `it is being ${procedure.past}, and is not to boot the deploy ramdisk now.`
  if (state === 'active') return 'it is active, so its operating system is there.'
  if (state === 'available') return 'it is available: nothing is to be deployed. To deploy it: baremetal node deploy.'
  if (node.last_error) return `it is "${state}", and nothing is to be deployed. ${node.last_error}`
  return `it is "${state}": nothing is to be deployed.`
}

/**
 * @source Ironic pxe_utils.get_ipa_api_url, [pxe] kernel_append_params with %default% (CONTRIBUTING.md, Kernel
 * parameters)
 */
function agentParameters(parts: BootParts, node: Node, { window }: Boot): KernelParameter[] {
  const { config } = parts
  const number_secret = window?.number_secret
  const api_url = `${agentApiUrl(parts)}${number_secret ? `/agent/${number_secret}` : ''}`
  const isInspected = underWay(node)?.kind === 'inspect'
  return [
    ...(isInspected ? inspectionParameters(parts, api_url) : []),
    // An agent that reports has no more to ask, unless the next procedure goes on with it.
    ...(isInspected && !isFastTracked(parts, node) ? [] : [apiUrlParameter(api_url)]),
    ...(config.DEFAULT.debug ? [['ipa-debug', '1'] satisfies KernelParameter] : []),
    ...parametersOf(kernelAppendParams(config, node)),
  ]
}

const apiUrlParameter = (api_url: string): KernelParameter => ['ipa-api-url', api_url]

/** @source Ironic prepare_managed_inspection */
export const inspectionParameters = (
  { config }: Pick<Parts, 'config'>,
  api_url: string,
): readonly KernelParameter[] => [
  ['ipa-inspection-callback-url', `${api_url}/v1/continue_inspection`],
  ...parametersOf(config.inspector.extra_kernel_params),
]

/** The text as it is in the records, for validation and for the script. */
export function kernelAppendParams(config: Parts['config'], node: Node): string {
  const text = node.instance_info.kernel_append_params ?? node.driver_info.kernel_append_params
  const configured = config.pxe.kernel_append_params
  return text === undefined || text === null ? configured : String(text).replaceAll('%default%', configured)
}

/** A text that no script can carry is left whole: rendering refuses it, and the machine's screen tells why. */
export function parametersOf(text: string): readonly KernelParameter[] {
  try {
    return parseKernelParameters(text)
  } catch (error) {
    if (error instanceof PxeError) return [[text, '']]
    throw error
  }
}
