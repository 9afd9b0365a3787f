/** The registry mirror as the conductor uses it: what it says of an image is an error like any other of a deploy. */
import { type ImageKeeper, RegistryError } from '@appliance/registry-mirror'
import type { NodeRegistry } from '../conductor/node-registry.ts'
import { DeployFailure } from '../errors.ts'
import type { PullSecret } from '../plugin-api/index.ts'
import { secretOfBox } from './registry-auth.ts'

/** @param auth_file  pull secrets for images of nodes that bring none */
export function nodeRegistryOf(mirror: ImageKeeper, auth_file?: string): NodeRegistry {
  const told = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      throw error instanceof RegistryError ? new DeployFailure(error.message, { cause: error }) : error
    }
  }
  const withSecret = async <O extends { secret?: PullSecret }>(reference: string, o: O): Promise<O> => {
    const secret = o.secret ?? (await secretOfBox(auth_file, reference))
    return secret === undefined ? o : { ...o, secret }
  }
  return {
    inspect: async (reference, o) => told(mirror.inspect(reference, await withSecret(reference, o))),
    hold: async (image, o) => told(mirror.hold(image, await withSecret(image.reference, o))),
    release: (owner) => told(mirror.release(owner)),
    revoke: (owner) => told(mirror.revoke(owner)),
    access: (image, o) => told(mirror.access(image, o)),
  }
}
