/** The registry mirror as the conductor uses it: what it says of an image is an error like any other of a deploy. */
import { type ImageKeeper, RegistryError } from '@appliance/registry-mirror'
import type { NodeRegistry } from '../conductor/node-registry.ts'
import { DeployFailure } from '../errors.ts'

export function nodeRegistryOf(mirror: ImageKeeper): NodeRegistry {
  const told = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      throw error instanceof RegistryError ? new DeployFailure(error.message, { cause: error }) : error
    }
  }
  return {
    inspect: (reference, o) => told(mirror.inspect(reference, o)),
    hold: (image, o) => told(mirror.hold(image, o)),
    release: (owner) => told(mirror.release(owner)),
    revoke: (owner) => told(mirror.revoke(owner)),
    access: (image, o) => told(mirror.access(image, o)),
  }
}
