/** What a node names is what is called: its implementation of an interface, and the task that this is handed. */
import { withPlainNumbers } from '@appliance/ground/exact-number'
import { BmcFailure, InvalidParameterValue } from '../../errors.ts'
import type { Implementation, InterfacePlugin, Interfaces, InterfaceTask } from '../../plugin-api/interfaces.ts'
import { deepFreeze } from '../../records/frozen.ts'
import type { Node } from '../../records/kinds/node.ts'
import { nodeForPlugin, type OfNode, type Parts } from '../parts/parts.ts'
import { exec } from '../plugin/exec.ts'
import { logFor } from '../plugin/log-for.ts'
import { optionsFor } from '../plugin/option-values.ts'
import { handleOf } from '../states/node-handle.ts'
import { refuseWithoutLost } from './bound-secrets.ts'

type Type = keyof Interfaces

/** @throws InvalidParameterValue  the node's hardware type, or its implementation, is not enabled on this appliance */
export function interfaceOf<K extends Type>(
  parts: Pick<Parts, 'hardware'> & OfNode,
  node: Node,
  type: K,
): Interfaces[K] {
  const { hardware } = parts.code?.of(node.uuid) ?? parts
  if (!hardware.allowed.has(node.driver)) {
    throw new InvalidParameterValue(
      `Node ${node.uuid} has the driver "${node.driver}", which is not enabled here (enabled: ${[...hardware.allowed.keys()].join(', ') || 'none'}). ` +
        'Add it to [DEFAULT] enabled_hardware_types, or give the node another driver.',
    )
  }
  const name = node.interfaces[type]
  const found = hardware.find(type, name)
  if (found) return found
  throw new InvalidParameterValue(
    `Node ${node.uuid} has the ${type} interface "${name}", which is not enabled here (enabled: ${hardware.enabled(type).join(', ') || 'none'}). ` +
      `Add it to [DEFAULT] enabled_${type}_interfaces, look into /healthz for why its plugin is not loaded, or give the node another ${type} interface.`,
  )
}

type TaskParts = Pick<Parts, 'hardware' | 'store' | 'config' | 'agent' | 'log' | 'option_values' | 'hidden'>

/**
 * @param node  as it was when the call was decided: its agent is the one that is called, also when it is forgotten by
 * now
 * @throws InvalidParameterValue  as interfaceOf; a node's field that an option of the plugin does not take
 * @throws MissingParameterValue  a secret went with the address that it was given for
 */
export function interfaceTask(parts: TaskParts, node: Node, type: Type, signal: AbortSignal): InterfaceTask {
  const { uuid } = node
  refuseWithoutLost(node, interfaceOf(parts, node, type))
  return {
    ...sightOf(parts, node, type),
    log: logFor(parts.log, { node: uuid }),
    signal,
    agent: {
      isAlive: agentIsAlive(parts, node),
      run: (command, params, { wait = false } = {}) => parts.agent.run(node, command, params, { wait, signal }),
    },
    exec: (file, args, o = {}) => exec(file, args, o, { signal, node_uuid: uuid, hidden: parts.hidden }),
    remember: async (values) => void (await handleOf(parts, uuid).update({ internal: values })),
    failure: (message, cause) => new BmcFailure(message, { cause }),
  }
}

const isPlugin = (called: Implementation): called is InterfacePlugin => 'apiVersion' in called

type SightParts = Pick<Parts, 'hardware' | 'option_values'>

/** A plugin sees less of the node, and plain numbers; what comes with the appliance reads numbers by their digits. */
export function sightOf(parts: SightParts, node: Node, type: Type): Pick<InterfaceTask, 'node' | 'options'> {
  const called: Implementation = interfaceOf(parts, node, type)
  if (!isPlugin(called)) return { node, options: {} }
  const { power_state, disable_power_off, driver_internal_info } = node
  const more = deepFreeze(withPlainNumbers({ power_state, disable_power_off, driver_internal_info }))
  return {
    node: Object.freeze({ ...nodeForPlugin(node), ...more }),
    options: optionsFor(parts, node, { name: `${type}/${called.name}`, options: called.options }),
  }
}

/** @source Ironic conductor/utils.py agent_is_alive */
export function agentIsAlive({ config }: Pick<Parts, 'config'>, { driver_internal_info }: Node): boolean {
  const { agent_url, agent_secret_token, agent_last_heartbeat } = driver_internal_info
  if (typeof agent_url !== 'string' || agent_secret_token === undefined) return false
  const age_ms = Date.now() - Date.parse(String(agent_last_heartbeat))
  return age_ms <= config.api.ramdisk_heartbeat_timeout * 1000
}
