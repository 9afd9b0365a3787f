/** Which interfaces nodes may have on this appliance, and which they get when they name none. */

import { InvalidParameterValue } from '../errors.ts'
import type { BmcDriver } from '../hardware/driver.ts'
import { INTERFACE_TYPES, type InterfaceType, type Node } from '../records/kinds/node.ts'
import type { Driver } from './conductor.ts'
import type { Parts } from './parts/parts.ts'

type InterfaceParts = Pick<Parts, 'hostname' | 'bmc' | 'plugins' | 'config'>

/** What there is one of, whatever the machine. Ironic's names for "this is not there" begin with `no-`. */
const COMMON = {
  bios: 'no-bios',
  boot: 'ipxe',
  console: 'no-console',
  firmware: 'no-firmware',
  inspect: 'no-inspect',
  network: 'noop',
  raid: 'no-raid',
  rescue: 'no-rescue',
  storage: 'noop',
  vendor: 'no-vendor',
} as const satisfies Partial<Record<InterfaceType, string>>

/** Of the node itself, whatever its driver. */
const PROPERTIES = {
  kernel_append_params:
    'Additional kernel parameters to pass down to the deploy ramdisk; %default% inserts those of [pxe] kernel_append_params. Optional.',
  deploy_forces_oob_reboot:
    'Whether the BMC, not the agent, powers the machine off after the deploy. Defaults to False. Optional.',
  agent_verify_ca: 'Path to a CA certificate for agents without a certificate of their own, or a boolean. Optional.',
} as const

function deployInterfaces({ plugins, config }: InterfaceParts): string[] {
  const names = [...plugins.keys()]
  const wanted = config.DEFAULT.default_deploy_interface
  if (wanted === undefined || !plugins.has(wanted)) return names
  return [wanted, ...names.filter((name) => name !== wanted)]
}

function interfacesOf(parts: InterfaceParts, bmc: BmcDriver): Partial<Record<InterfaceType, readonly string[]>> {
  const all = { ...COMMON, ...bmc.interfaces }
  const lists = Object.entries(all).map(([type, name]) => [type, [name]])
  return { ...Object.fromEntries(lists), deploy: deployInterfaces(parts) }
}

export function drivers(parts: InterfaceParts): Driver[] {
  const ofPlugins = Object.assign({}, ...[...parts.plugins.values()].map(({ properties }) => properties ?? {}))
  return [...parts.bmc.values()].map((bmc) => ({
    name: bmc.name,
    hosts: [parts.hostname],
    interfaces: interfacesOf(parts, bmc),
    properties: { ...bmc.properties, ...PROPERTIES, ...ofPlugins },
  }))
}

/** @throws InvalidParameterValue  in Ironic's words (CONTRIBUTING.md, Node create) */
export function chooseInterfaces(
  parts: InterfaceParts,
  driver: string,
  wanted: Partial<Record<InterfaceType, string>>,
): Node['interfaces'] {
  const bmc = parts.bmc.get(driver)
  if (!bmc) {
    throw new InvalidParameterValue(
      `No valid host was found. Reason: No conductor service registered which supports driver ${driver} for conductor group "".`,
    )
  }
  const enabled = interfacesOf(parts, bmc)
  const chosen = INTERFACE_TYPES.map((type) => [type, chooseOne(type, enabled[type] ?? [], wanted[type])])
  return Object.fromEntries(chosen) as Node['interfaces']
}

function chooseOne(type: InterfaceType, enabled: readonly string[], wanted: string | undefined | null): string {
  if (wanted !== undefined && wanted !== null) {
    if (enabled.includes(wanted)) return wanted
    const valid = enabled.map((name) => `'${name}'`).join(', ')
    throw new InvalidParameterValue(
      `Could not find the following interface in the 'ironic.hardware.interfaces.${type}' entrypoint: ${wanted}. Valid interfaces are [${valid}].`,
    )
  }
  const [first] = enabled
  if (first !== undefined) return first
  throw new InvalidParameterValue(
    `No ${type} interface is enabled on this appliance. Look into /healthz for why no plugin is loaded, or set [DEFAULT] enabled_${type}_interfaces.`,
  )
}
