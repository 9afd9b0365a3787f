/**
 * Which layers of the deploy ramdisk a machine boots the agent with: its deploy interface's, the operator's, and those
 * of pxe's own that its steps need.
 */
import { INSPECT_LAYER, layersOfSteps, RESCUE_LAYER } from '@appliance/pxe'
import { InvalidParameterValue } from '../../errors.ts'
import type { ProcedureKind } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { nodeForPlugin, type OfNode, type Parts } from '../parts/parts.ts'
import { optionsFor } from '../plugin/option-values.ts'
import { pluginOf } from '../plugin/plugin-of.ts'
import { keyOf } from '../procedures/plan.ts'
import { prioritiesOf } from '../procedures/priorities.ts'
import { internalOf } from '../procedures/procedure.ts'

type LayerParts = Pick<Parts, 'config' | 'plugins' | 'option_values'> & OfNode

/** Where the deploy interface has no part in it. */
const OF_PROCEDURE: Partial<Record<ProcedureKind, readonly string[]>> = {
  rescue: [RESCUE_LAYER],
  inspect: [INSPECT_LAYER],
}

/**
 * @throws whatever the plugin's function throws; InvalidParameterValue for options that do not fit, or no list of names
 */
export const layersFor = (parts: LayerParts, node: Node, procedure: ProcedureKind): readonly string[] => [
  ...new Set([
    ...(OF_PROCEDURE[procedure] ?? pluginLayers(parts, node, procedure)),
    ...operatorLayers(parts, node),
    ...layersOfSteps(stepsOf(parts, node, procedure)),
  ]),
]

/** interface.step of what was asked for, or of what the configuration has a cleaning do by itself. */
function stepsOf({ config }: LayerParts, node: Node, procedure: ProcedureKind): readonly string[] {
  const asked = internalOf(node, procedure, 'user') ?? []
  if (asked.length > 0 || procedure !== 'clean') return asked.map(keyOf)
  const priorities = prioritiesOf(config)
  return Object.keys(priorities).filter((step) => (priorities[step] ?? 0) > 0)
}

function pluginLayers(parts: LayerParts, node: Node, procedure: ProcedureKind): readonly string[] {
  const { plugins } = parts.code?.of(node.uuid) ?? parts
  const plugin = plugins.has(node.interfaces.deploy) ? pluginOf(parts, node) : undefined
  const { ramdiskLayers = [] } = plugin ?? {}
  if (!plugin || typeof ramdiskLayers !== 'function') return ramdiskLayers as readonly string[]
  const kept = internalOf(node, procedure, 'kept') ?? {}
  const options = optionsFor(parts, node, plugin)
  const layers: unknown = ramdiskLayers({ node: nodeForPlugin(node), options, kept, procedure })
  if (Array.isArray(layers) && layers.every((layer) => typeof layer === 'string')) return layers
  const found = JSON.stringify(layers)
  throw new InvalidParameterValue(
    `ramdiskLayers of the deploy interface "${plugin.name}" gave ${found} for node ${node.uuid}: a list of names is expected.`,
  )
}

/** A node's own stand in the place of those of [pxe] ramdisk_layers. */
function operatorLayers({ config }: LayerParts, { uuid, driver_info }: Node): readonly string[] {
  const { ramdisk_layers: given } = driver_info
  if (given === undefined || given === null) return config.pxe.ramdisk_layers
  const layers: unknown = typeof given === 'string' ? namesIn(given) : given
  if (Array.isArray(layers) && layers.every((layer) => typeof layer === 'string')) return layers
  throw new InvalidParameterValue(
    `driver_info/ramdisk_layers of node ${uuid} is ${JSON.stringify(given)}: expected names of layers, as a list or separated by commas.`,
  )
}

const namesIn = (text: string) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
