/**
 * The deploy plugin that works for a node: the one that its deploy_interface names, or the one that this chooses. What
 * was chosen stands in the node from the begin of a procedure to the end of its cleaning.
 * @source Ironic drivers/modules/autodetect.py
 */
import { InvalidParameterValue, messageOf } from '../../errors.ts'
import type { DeployPlugin } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { nodeForPlugin, type OfNode, type Parts } from '../parts/parts.ts'
import type { NodeChange } from '../states/node-handle.ts'
import { optionsFor } from './option-values.ts'

export type PluginParts = Pick<Parts, 'plugins' | 'option_values'> & OfNode

/** @throws InvalidParameterValue  the node's deploy interface is not loaded, or what it may choose is not */
export function pluginOf(parts: PluginParts, node: Node): DeployPlugin {
  const code = parts.code?.of(node.uuid) ?? parts
  return choiceOf(code, named(code, node), node).plugin
}

/**
 * The node's change to what its deploy interface chooses for it; nothing when that does the work itself.
 * @throws InvalidParameterValue  as pluginOf
 */
export function switched(parts: PluginParts & Pick<Parts, 'log'>, node: Node): NodeChange | undefined {
  const code = parts.code?.of(node.uuid) ?? parts
  const from = named(code, node)
  const { plugin, isClaimed } = choiceOf(code, from, node)
  if (plugin === from) return undefined
  const fields = { node: node.uuid, deploy_interface: plugin.name, by: from.name }
  // Without an image there is nothing to tell a node by, as in most cleanings.
  if (isClaimed || !node.instance_info.image_source) parts.log.info('deploy interface chosen', fields)
  else parts.log.warn('deploy interface chosen that does not claim the node: the last one of the list', fields)
  return {
    interfaces: { ...node.interfaces, deploy: plugin.name },
    internal: { original_deploy_interface: from.name },
  }
}

/** The change that ends `switched`: when a machine has been cleaned, the next deploy may be another. */
export const switchedBack = ({
  interfaces,
  driver_internal_info,
}: Node): Pick<NodeChange, 'interfaces' | 'internal'> =>
  typeof driver_internal_info.original_deploy_interface === 'string'
    ? {
        interfaces: { ...interfaces, deploy: driver_internal_info.original_deploy_interface },
        internal: { original_deploy_interface: undefined },
      }
    : {}

function named({ plugins }: PluginParts, { uuid, interfaces }: Node): DeployPlugin {
  const plugin = plugins.get(interfaces.deploy)
  if (plugin) return plugin
  throw new InvalidParameterValue(
    `Node ${uuid} has the deploy interface "${interfaces.deploy}", which is not loaded here ` +
      `(loaded: ${[...plugins.keys()].join(', ') || 'none'}). Look into /healthz for the reason, or give the node another deploy interface.`,
  )
}

/** `isClaimed`: the chosen one says that the node is its own. */
type Choice = { plugin: DeployPlugin; isClaimed: boolean }

function choiceOf(parts: PluginParts, from: DeployPlugin, node: Node): Choice {
  if (!from.switchesTo) return { plugin: from, isClaimed: true }
  let last: Choice | undefined
  for (const name of from.switchesTo(optionsFor(parts, node, from))) {
    const plugin = enabled(parts, from, name)
    last = { plugin, isClaimed: claims(plugin, node) }
    if (last.isClaimed) return last
  }
  if (last) return last
  throw new InvalidParameterValue(`The deploy interface "${from.name}" has no deploy interface to choose among.`)
}

function enabled({ plugins }: PluginParts, from: DeployPlugin, name: string): DeployPlugin {
  const plugin = plugins.get(name)
  if (plugin && !plugin.switchesTo) return plugin
  const why = plugin ? 'chooses another one itself' : `is not loaded here (loaded: ${[...plugins.keys()].join(', ')})`
  throw new InvalidParameterValue(
    `The deploy interface "${from.name}" may choose "${name}", which ${why}. Add it to [DEFAULT] enabled_deploy_interfaces, ` +
      `look into /healthz for why it is not loaded, or take it out of the options of "${from.name}".`,
  )
}

function claims(plugin: DeployPlugin, node: Node): boolean {
  const { name } = plugin
  if (!plugin.supports) return true
  let answer: unknown
  try {
    answer = plugin.supports(nodeForPlugin(node))
  } catch (error) {
    throw new InvalidParameterValue(
      `The deploy interface "${name}" cannot say whether node ${node.uuid} is its own: ${messageOf(error)}`,
      { cause: error },
    )
  }
  if (typeof answer === 'boolean') return answer
  throw new InvalidParameterValue(
    `supports of the deploy interface "${name}" gave ${JSON.stringify(answer)} for node ${node.uuid}: true or false is expected.`,
  )
}
