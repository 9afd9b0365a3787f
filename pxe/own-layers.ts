/** Layers of the deploy ramdisk that are pxe's own: what each brings is for steps of our agent. */
import { join } from 'node:path'
import type { LayerSource } from './ramdisk/layer.ts'

/** By interface.step of the agent. */
const OF_STEPS: Readonly<Record<string, readonly OwnLayer[]>> = {
  'deploy.erase_devices': ['rackstrap-erase'],
  'deploy.erase_devices_express': ['rackstrap-erase'],
  'deploy.burnin_cpu': ['rackstrap-stress-ng'],
  'deploy.burnin_memory': ['rackstrap-stress-ng'],
  // For the disks' own test, too.
  'deploy.burnin_disk': ['rackstrap-fio', 'rackstrap-erase'],
  'deploy.burnin_network': ['rackstrap-fio'],
}
const OWN = [
  'rackstrap-erase',
  'rackstrap-fio',
  'rackstrap-inspect',
  'rackstrap-rescue',
  'rackstrap-stress-ng',
] as const
type OwnLayer = (typeof OWN)[number]

/** What `rescue.finalize_rescue` of our agent needs. */
export const RESCUE_LAYER: OwnLayer = 'rackstrap-rescue'

/** With what an inspection listens to switches, and asks for the address of the BMC. */
export const INSPECT_LAYER: OwnLayer = 'rackstrap-inspect'

/**
 * Whether a ramdisk without this layer, as an older version has built it, is booted all the same: the agent then
 * overwrites disks, or hears no switch, and says why.
 */
export const isLeftOut = ({ layers }: { layers: Readonly<Record<string, string>> }, name: string): boolean =>
  (name === 'rackstrap-erase' || name === INSPECT_LAYER) && !Object.hasOwn(layers, name)

/**
 * Each once.
 * @param steps  interface.step of those that a machine may go through
 */
export const layersOfSteps = (steps: readonly string[]): readonly string[] => [
  ...new Set(steps.flatMap((step) => (Object.hasOwn(OF_STEPS, step) ? (OF_STEPS[step] ?? []) : []))),
]

/** As the builder of the ramdisk makes them, always. */
export const ownLayerSources = (): LayerSource[] =>
  OWN.map((name) => ({ name, folder: join(import.meta.dirname, 'ramdisk/layers', name) }))
