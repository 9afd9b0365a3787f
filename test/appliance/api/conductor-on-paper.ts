/** A conductor that holds nodes as the real one does, and writes down what else it is asked. The broken one fails in all of it. */
import type { Conductor, Driver } from '../../../appliance/conductor/conductor.ts'
import { BmcFailure, InvalidParameterValue, NotFound } from '../../../appliance/errors.ts'
import { INTERFACE_TYPES, type InterfaceType, type Node } from '../../../appliance/nodes/node.ts'
import { withReservation } from '../../../appliance/nodes/reservations.ts'
import type { Store } from '../../../appliance/nodes/store.ts'

export const HOST = 'rack-1'
export type Asked = { verb: string; uuid: string; with: unknown }
export type ConductorOnPaper = Conductor & { asked: Asked[] }

const common: Partial<Record<InterfaceType, readonly string[]>> = Object.fromEntries(
  INTERFACE_TYPES.map((type) => [type, [`no-${type}`]]),
)
const DRIVERS: readonly Driver[] = [
  {
    name: 'ipmi',
    hosts: [HOST],
    interfaces: { ...common, power: ['ipmitool'], management: ['ipmitool'], deploy: ['image', 'other'] },
    properties: { ipmi_address: 'IP address or hostname of the node. Required.' },
  },
  {
    name: 'fake-hardware',
    hosts: [HOST],
    interfaces: { ...common, power: ['fake'], management: ['fake'], deploy: ['image', 'other'] },
    properties: {},
  },
]

export function conductorOnPaper(store: Store): ConductorOnPaper {
  const asked: Asked[] = []
  const ask = (verb: string, uuid: string, what: unknown) => void asked.push({ verb, uuid, with: what })
  return {
    asked,
    hostname: HOST,
    drivers: () => DRIVERS,
    chooseInterfaces,
    withNode: (uuid, _purpose, change) => withReservation(store, HOST, uuid, change),
    provision: async (uuid, request) => ask('provision', uuid, request),
    power: async (uuid, target, timeout_s) => ask('power', uuid, { target, timeout_s }),
    validate: async () => ({ power: { result: true }, deploy: { result: false, reason: 'no image_source' } }),
    supportedBootDevices: () => ['pxe', 'disk'],
    getBootDevice: async () => ({ boot_device: 'disk', persistent: true }),
    setBootDevice: async (uuid, device, persistent) => ask('setBootDevice', uuid, { device, persistent }),
    async lookup(query) {
      const address = query.addresses.find((mac) => store.ports.byAddress(mac))
      const node = store.nodes.get(query.node_uuid ?? store.ports.byAddress(address ?? '')?.node_uuid ?? '')
      if (!node) throw new NotFound('Resource could not be found.')
      return { node, config: { heartbeat_timeout: 300, agent_token: 'given once' } }
    },
    heartbeat: async (uuid, heartbeat) => ask('heartbeat', uuid, heartbeat),
  }
}

/** @param failure  what every call that reaches a machine ends with */
export function brokenConductor(store: Store, failure: Error = new BmcFailure('the BMC is gone')): ConductorOnPaper {
  const fail = async () => {
    throw failure
  }
  const names = ['provision', 'power', 'validate', 'getBootDevice', 'setBootDevice', 'lookup', 'heartbeat']
  return { ...conductorOnPaper(store), ...Object.fromEntries(names.map((name) => [name, fail])) }
}

function chooseInterfaces(driver: string, wanted: Partial<Record<InterfaceType, string>>): Node['interfaces'] {
  const known = DRIVERS.find(({ name }) => name === driver)
  if (!known)
    throw new InvalidParameterValue(`No valid host was found. Reason: nothing here supports driver ${driver}.`)
  const chosen = INTERFACE_TYPES.map((type) => {
    const enabled = known.interfaces[type] ?? []
    const name = wanted[type] ?? enabled[0] ?? ''
    if (!enabled.includes(name)) throw new InvalidParameterValue(`Could not find the ${type} interface: ${name}.`)
    return [type, name] as const
  })
  return Object.fromEntries(chosen) as Node['interfaces']
}
