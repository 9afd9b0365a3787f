/**
 * The container image that a node holds in the registry mirror, and shows in its record. Knows the mirror by what it is
 * asked only.
 */

import { untilAborted } from '@appliance/ground/until-aborted'
import { messageOf } from '../../errors.ts'
import { guestMirror } from '../../guest/mirror-address.ts'
import type { ContainerAccess, Progress, Task } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import { ownerOf } from '../parts/node-registry.ts'
import type { Parts } from '../parts/parts.ts'
import type { NodeHandle } from '../states/node-handle.ts'

type Given = { signal: AbortSignal; progress(progress: Progress): void }

export function registryFor(
  { registry }: Pick<Parts, 'registry'>,
  node: NodeHandle,
  { signal, progress }: Given,
): Pick<Task, 'registry'> {
  const owner = ownerOf(node.uuid)
  if (!registry) return {}
  return {
    registry: {
      readSecret: (value, reference) => registry.readSecret(value, reference),
      async inspect(reference, o) {
        signal.throwIfAborted()
        // The mirror ends an inspection by itself; who asked may not want to wait for that.
        return untilAborted(registry.inspect(reference, o), signal)
      },
      async hold(image, o = {}) {
        signal.throwIfAborted()
        const { reference, digest, manifest_digest } = image
        const note = `pulling ${reference} from its registry`
        await registry.hold(image, {
          ...o,
          owner,
          signal,
          progress: (done, total) => progress({ note, done, total, unit: 'bytes' }),
        })
        await node.update({
          internal: { container_image: { reference, digest, manifest_digest }, container_image_deployed: true },
        })
      },
      async access(image, { for: whom = 'deploy', ...o } = {}) {
        const access = await registry.access(image, {
          ...o,
          for: whom === 'guest' ? 'deploy' : whom,
          owner,
        })
        return whom === 'guest' ? fromGuest(access) : access
      },
    },
  }
}

/**
 * Its line to the mirror is a pipe of this box's own, and a certificate that was given to the mirror is not good for
 * the address at the guest's end: so there is nothing to be proven by it.
 */
function fromGuest(access: ContainerAccess): ContainerAccess {
  const port = Number(/:(\d+)$/.exec(access.registry)?.[1])
  const registry = guestMirror(port)
  return {
    ...access,
    insecure: true,
    registry,
    location: `${registry}${access.location.slice(access.registry.length)}`,
  }
}

/** The deploy is over, well or badly: nothing else is pulled for it. */
export async function endTickets({ registry, log }: Pick<Parts, 'registry' | 'log'>, uuid: string): Promise<void> {
  await registry?.revoke(ownerOf(uuid)).catch((error: unknown) => {
    log.warn('tickets of a deploy not revoked', { node: uuid, reason: messageOf(error), error })
  })
}

/** The node is torn down or gone. What is left held after a failure is let go when it holds another. */
export async function releaseImage({ registry, log }: Pick<Parts, 'registry' | 'log'>, uuid: string): Promise<void> {
  await registry?.release(ownerOf(uuid)).catch((error: unknown) => {
    log.warn('container image not released', { node: uuid, reason: messageOf(error), error })
  })
}

/** What driver_internal_info shows of it, to be removed. */
export const IMAGE_LEFTOVERS = { container_image: undefined, container_image_deployed: undefined } as const

/**
 * After a deploy: one that an earlier deploy brought, and this one did without, is let go.
 * @returns what of driver_internal_info is to be changed
 */
export async function keepOnlyDeployed(parts: Pick<Parts, 'registry' | 'log'>, node: Node) {
  const { container_image, container_image_deployed } = node.driver_internal_info
  if (container_image === undefined || container_image_deployed) return { container_image_deployed: undefined }
  await releaseImage(parts, node.uuid)
  return IMAGE_LEFTOVERS
}
