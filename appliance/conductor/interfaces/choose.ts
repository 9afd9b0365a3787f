/** Which interfaces nodes may have on this appliance, and which they get when they name none. */

import { InvalidParameterValue } from '../../errors.ts'
import type { Implementation, Interfaces } from '../../plugin-api/interfaces.ts'
import { INTERFACE_TYPES, type InterfaceType, type Node } from '../../records/kinds/node.ts'
import type { Parts } from '../parts/parts.ts'

export type Driver = {
  name: string
  hosts: readonly string[]
  /** By interface type: the enabled ones, the default first. */
  interfaces: Readonly<Record<InterfaceType, readonly string[]>>
  /** Name to help text, the deploy plugins' own included. */
  properties: Readonly<Record<string, string>>
}

type InterfaceParts = Pick<Parts, 'hostname' | 'hardware' | 'plugins' | 'config'>

/** Of the node itself, whatever its driver. */
const PROPERTIES = {
  kernel_append_params:
    'Additional kernel parameters to pass down to the deploy ramdisk; %default% inserts those of [pxe] kernel_append_params. Optional.',
  ramdisk_layers:
    'Layers of the deploy ramdisk that the machine boots the agent with, as a list or separated by commas. Defaults to [pxe] ramdisk_layers. Optional.',
  fast_track:
    'Whether an agent that lives goes on from one procedure to the next without a reboot. Defaults to [deploy] fast_track. Optional.',
  deploy_forces_oob_reboot:
    'Whether the BMC, not the agent, powers the machine off after the deploy. Defaults to False. Optional.',
  agent_verify_ca: 'Path to a CA certificate for agents without a certificate of their own, or a boolean. Optional.',
} as const

function deployInterfaces({ plugins, config, hardware }: InterfaceParts, driver: string): string[] {
  const names = [...plugins.keys()].filter((name) => hardware.allows(driver, 'deploy', name))
  const wanted = config.DEFAULT.default_deploy_interface
  if (wanted === undefined || !names.includes(wanted)) return names
  return [wanted, ...names.filter((name) => name !== wanted)]
}

export function drivers(parts: InterfaceParts): Driver[] {
  const ofPlugins = Object.assign({}, ...[...parts.plugins.values()].map(({ properties }) => properties ?? {}))
  return [...parts.hardware.allowed].map(([name, allowed]) => {
    const interfaces = { ...allowed, deploy: deployInterfaces(parts, name) }
    const ofInterfaces = Object.entries(allowed).flatMap(([type, names]) =>
      names.map((each) => {
        const found: Implementation | undefined = parts.hardware.find(type as keyof Interfaces, each)
        return found?.properties ?? {}
      }),
    )
    return {
      name,
      hosts: [parts.hostname],
      interfaces,
      properties: { ...Object.assign({}, ...ofInterfaces), ...PROPERTIES, ...ofPlugins },
    }
  })
}

/** @throws InvalidParameterValue  in Ironic's words (CONTRIBUTING.md, Node create) */
export function chooseInterfaces(
  parts: InterfaceParts,
  driver: string,
  wanted: Partial<Record<InterfaceType, string>>,
): Node['interfaces'] {
  const allowed = parts.hardware.allowed.get(driver)
  if (!allowed) {
    throw new InvalidParameterValue(
      `No valid host was found. Reason: No conductor service registered which supports driver ${driver} for conductor group "".`,
    )
  }
  const enabled = { ...allowed, deploy: deployInterfaces(parts, driver) }
  const chosen = INTERFACE_TYPES.map((type) => [type, chooseOne(type, enabled[type], wanted[type])])
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
