/**
 * The container image of a deploy: what its tag means is settled once, and it is held before the machine is touched.
 */
import type { ContainerImage, ContainerRegistry, Json } from '@appliance/core/plugin-api'
import { type Wanted, wantedOf } from './node-fields.ts'
import type { BootcTask } from './options.ts'
import { checkMachine, type Way, wayOf } from './ways.ts'

export type Deploy = { wanted: Wanted; image: ContainerImage; way: Way }

/** Presence counts. */
const LABELS = ['containers.bootc', 'ostree.bootable']
/** Of images that it binds. @source bootc: logically bound images */
const BOUND_IMAGES = '/usr/lib/bootc/bound-images.d'

/** @throws task.failure; what the registry says */
export function registryOf(task: BootcTask): ContainerRegistry {
  if (task.registry) return task.registry
  throw task.failure(
    `Node ${task.node.uuid} cannot be deployed by bootc: its image comes by way of this appliance's registry mirror, and [registry] enabled is false.`,
  )
}

/** Asks the registry. @throws task.failure; what the registry says */
export async function examine(task: BootcTask): Promise<Deploy> {
  const registry = registryOf(task)
  const wanted = wantedOf(task)
  const { reference, architecture, secret } = wanted
  const image = await registry.inspect(reference, { architecture, ...(secret !== undefined && { secret }) })
  checkBootable(task, image)
  const way = await wayOf(task, { image, wanted })
  checkMachine(task, { image, wanted }, way)
  return { wanted, image, way }
}

function checkBootable(task: BootcTask, { reference, labels }: ContainerImage): void {
  if (LABELS.some((name) => Object.hasOwn(labels, name))) return
  throw task.failure(
    `Image ${reference} of node ${task.node.uuid} is not bootable: it has no label ${LABELS.join(' or ')}. Take an image that bootc can install.`,
  )
}

type Settled = { image: ContainerImage; way: Way }
const settledIn = (kept: Json) => kept.settled as Settled | undefined

/** undefined: not settled yet. */
export const settledWay = (kept: Json): Way | undefined => settledIn(kept)?.way

/**
 * The same one in every step of the deploy, also when its tag is moved meanwhile. @throws task.failure; what the
 * registry says
 */
export async function settle(task: BootcTask): Promise<Deploy> {
  const kept = settledIn(task.kept)
  if (kept) return { ...kept, wanted: wantedOf(task) }
  const deploy = await examine(task)
  const { image, way } = deploy
  if (image.warning !== undefined)
    task.log.warn('image as the mirror has it', { image: image.reference, why: image.warning })
  task.log.info('image chosen', { image: image.reference, digest: image.digest, size_bytes: image.size_bytes, way })
  await task.keep({ settled: { image: plain(image), way } })
  return deploy
}

/** What the deploy needs of it: labels are the tenant's, and may be long. */
const plain = ({ labels: _labels, warning: _warning, ...image }: ContainerImage) => ({ ...image, labels: {} })

export async function hold(task: BootcTask, { image, wanted: { secret } }: Deploy): Promise<void> {
  await registryOf(task).hold(image, { ...(secret !== undefined && { secret }), bound_in: BOUND_IMAGES })
}
