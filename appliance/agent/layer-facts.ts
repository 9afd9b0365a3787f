/**
 * What the layers of our own deploy ramdisk tell with the heartbeat: no field of Ironic's. Checks form and size, and
 * that nobody takes back what was told; reads nothing in it.
 */
import { isDeepStrictEqual } from 'node:util'
import { isObject } from '@appliance/ground/json'
import { InvalidParameterValue } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import type { Node } from '../records/kinds/node.ts'

const LAYERS_LIMIT = 16
const SIZE_LIMIT_BYTES = 16 * 1024
/** As pxe/ramdisk/layer.ts has it. */
const LAYER_NAME = /^[a-z0-9][a-z0-9-]{0,40}$/

/** @throws InvalidParameterValue  a layer's word differs from the one before in this boot, or it is no such thing */
export function checkLayerFacts(node: Node, told: Json): void {
  const { agent_layer_facts } = node.driver_internal_info
  const before = new Map(Object.entries(factsIn(agent_layer_facts)))
  const all = factsToKeep(agent_layer_facts, told)
  const layers = Object.keys(all).length
  const size_bytes = Buffer.byteLength(JSON.stringify(all))
  if (layers > LAYERS_LIMIT || size_bytes > SIZE_LIMIT_BYTES) {
    throw new InvalidParameterValue(
      `layer_facts of ${layers} layers have ${size_bytes} bytes: at most ${LAYERS_LIMIT} layers and ` +
        `${SIZE_LIMIT_BYTES} bytes are taken.`,
    )
  }
  for (const [layer, facts] of Object.entries(told)) {
    if (!LAYER_NAME.test(layer) || !isObject(facts)) {
      throw new InvalidParameterValue('layer_facts is not an object with an object for each layer.')
    }
    const known = before.get(layer)
    if (known && !failed(known) && !failed(facts) && !isDeepStrictEqual(known, facts)) {
      throw new InvalidParameterValue(`Detected change in ramdisk provided "layer_facts" of layer ${layer}`)
    }
  }
}

/** Of a layer that failed when the agent was started once more, the first word still counts. */
export function factsToKeep(known: Json | undefined, told: Json): Json {
  const good = Object.entries(factsIn(known)).filter(([, facts]) => !failed(facts))
  return { ...known, ...told, ...Object.fromEntries(good) }
}

export const factsIn = (kept: Json | undefined): Readonly<Record<string, Json>> =>
  Object.fromEntries(Object.entries(kept ?? {}).filter((entry): entry is [string, Json] => isObject(entry[1])))

const failed = (facts: Json): boolean => 'error' in facts
