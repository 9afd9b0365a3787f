/**
 * Unknown machines, where [auto_discovery] has them enrolled: which may boot the agent, and what their reports become.
 * Off unless an operator says so.
 */
import { isIP } from 'node:net'
import { plainAddress } from '@appliance/ground/plain-address'
import { createSemaphore } from '@appliance/ground/semaphore'
import type { KernelParameter } from '@appliance/pxe'
import { NO_SUCH_NODE } from '../../agent/lookup.ts'
import { ApplianceError, InvalidParameterValue, messageOf, NotFound } from '../../errors.ts'
import { bmcAddressesOf } from '../../hardware/bmc-addresses.ts'
import type { Found } from '../../records/inspections.ts'
import { type Node, newNode } from '../../records/kinds/node.ts'
import { newPort } from '../../records/kinds/port.ts'
import { agentApiUrl, inspectionParameters, parametersOf } from '../boot/boot.ts'
import { type Asker, newKey } from '../boot/window.ts'
import { chooseInterfaces, drivers } from '../interfaces/choose.ts'
import type { Parts } from '../parts/parts.ts'
import { handleOf } from '../states/node-handle.ts'
import { itemsOf, macIn } from './hooks/hook.ts'
import { learn } from './learn.ts'

/** What an unknown machine boots: the agent, which reports. */
export type DiscoveryBoot = { parameters: readonly KernelParameter[] }

export type Discovery = {
  /** @returns undefined  this machine is not to be enrolled @param mac  lower case with colons, that no port has */
  bootFor(mac: string, address: string): Promise<DiscoveryBoot | undefined>
  /**
   * Enrolls the machine that was booted with this number.
   * @returns undefined  no machine was @throws NotFound  it is another one, or no more are taken
   */
  enroll(found: Found, asker: Asker): Promise<Node | undefined>
}

/** Boots that have not reported yet: more than a rack has, and no more than an hour. */
const PENDING_LIMIT = 1_000
const PENDING_MS = 60 * 60_000

type Pending = { mac: string; address: string; at: number }

export function createDiscovery(parts: Parts, now = Date.now): Discovery {
  const pending = new Map<string, Pending>()
  /** No two machines take the last place, or the same BMC. */
  const turns = createSemaphore(1)
  const { auto_discovery: options, api } = parts.config
  const isFull = () => {
    let enrolled = 0
    for (const { provision_state, driver_internal_info } of parts.store.nodes.all()) {
      if (provision_state === 'enroll' && driver_internal_info.auto_discovered) enrolled++
    }
    return enrolled >= options.max_nodes
  }
  const refuse = (reason: string, fields: Record<string, string>) => {
    parts.log.warn('unknown machine not enrolled', { reason, ...fields })
    return undefined
  }
  return {
    async bootFor(mac, address) {
      if (!options.enabled || parts.store.ports.by('address', mac)) return undefined
      const isLeased = api.check_machine_address ? await parts.isLeased?.(mac, address) : undefined
      if (isLeased === false) return refuse(`its address is not the one that DHCP gave it`, { mac, address })
      if (isFull()) return refuse(`[auto_discovery] max_nodes is reached: ${options.max_nodes}`, { mac, address })
      for (const [key, { at }] of pending) if (now() - at > PENDING_MS) pending.delete(key)
      for (const [key, one] of pending) if (one.mac === mac) pending.delete(key)
      if (pending.size >= PENDING_LIMIT) return refuse('too many unknown machines boot at one time', { mac, address })
      const number = newKey()
      pending.set(number, { mac, address, at: now() })
      return {
        parameters: [
          ...inspectionParameters(parts, `${agentApiUrl(parts)}/agent/${number}`),
          ...parametersOf(parts.config.pxe.kernel_append_params),
        ],
      }
    },
    async enroll(found, { number, address }) {
      const boot = number === undefined ? undefined : pending.get(number)
      if (number === undefined || !boot || !options.enabled) return undefined
      const macs = itemsOf(found.inventory.interfaces).flatMap(({ mac_address }) => macIn(mac_address) ?? [])
      const isIt = macs.includes(boot.mac) && (!api.check_machine_address || boot.address === address)
      const driver_info = bmcOf(parts, options.driver ?? '', found.inventory.bmc_address)
      const refused = (reason: string) => {
        refuse(reason, { mac: boot.mac, address })
        return new NotFound(NO_SUCH_NODE)
      }
      const node = await turns.run(async () => {
        if (!isIt || isFull() || macs.some((mac) => parts.store.ports.by('address', mac))) {
          throw refused('who reports is not the machine that was booted, or no more are taken')
        }
        if (hasNode(parts, driver_info)) throw refused('a node has the BMC that it says is its own')
        if (!pending.delete(number)) throw refused('it has reported already')
        return createNode(parts, driver_info)
      })
      return enrollNode(parts, node, boot.mac, found)
    },
  }
}

function createNode(parts: Parts, driver_info: Node['driver_info']): Promise<Node> {
  const driver = parts.config.auto_discovery.driver ?? ''
  const interfaces = chooseInterfaces(parts, driver, {})
  const driver_internal_info = { auto_discovered: true }
  return parts.store.nodes.create(newNode({ driver, interfaces, driver_info, driver_internal_info }))
}

/** @throws InvalidParameterValue  hooks or rules refuse it: then there is no such node */
async function enrollNode(
  parts: Parts,
  { uuid, driver }: Node,
  mac: string,
  { inventory, plugin_data }: Found,
): Promise<Node> {
  const release = await parts.reservations.take(uuid)
  try {
    await parts.store.ports.create(newPort({ address: mac, node_uuid: uuid }))
    await learn(parts, handleOf(parts, uuid), { inventory, plugin_data: { ...plugin_data, auto_discovered: true } })
    parts.log.info('unknown machine enrolled', { node: uuid, mac, driver })
    return parts.store.nodes.find(uuid)
  } catch (error) {
    await parts.store.nodes.delete(uuid)
    await parts.inspections.remove(uuid)
    if (!(error instanceof ApplianceError)) throw error
    const reason = `The unknown machine ${mac} is not enrolled: ${messageOf(error)}`
    parts.log.warn('unknown machine not enrolled', { reason, mac })
    throw new InvalidParameterValue(reason, { cause: error })
  } finally {
    await release()
  }
}

/**
 * Where the hardware type knows such a field, as ipmi_address. An address alone: a stranger's URL would say how safely
 * the BMC is spoken to.
 */
function bmcOf(parts: Parts, driver: string, told: unknown): Node['driver_info'] {
  const key = `${driver}_address`
  const isKnown = drivers(parts).some(({ name, properties }) => name === driver && Object.hasOwn(properties, key))
  const address = typeof told === 'string' ? plainAddress(told) : ''
  return isKnown && isIP(address) !== 0 && !NO_BMC.includes(address) ? { [key]: address } : {}
}

/** What agents say of a machine without one. */
const NO_BMC: readonly string[] = ['0.0.0.0', '::']

/** Who says that the BMC of another machine is its own would have that one switched. */
function hasNode({ store }: Parts, driver_info: Node['driver_info']): boolean {
  const addresses = bmcAddressesOf(driver_info)
  if (addresses.length === 0) return false
  for (const node of store.nodes.all()) {
    if (bmcAddressesOf(node.driver_info).some((address) => addresses.includes(plainAddress(address)))) return true
  }
  return false
}
