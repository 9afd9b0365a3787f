/** The registry mirror as the conductor uses it: turns its refusals into errors of a deploy. */
import { type ImageProvider, ImageUnavailable, RegistryError, readPullSecret } from '@appliance/registry-mirror'
import type { NodeRegistry } from '../conductor/parts/node-registry.ts'
import { DeployFailure } from '../errors.ts'
import type { PullSecret } from '../plugin-api/index.ts'
import { type BoxSecrets, base64Of, generalSecret, mayHaveGeneral, secretInFile } from './registry-auth.ts'

type Wanted = { architecture: string; secret?: PullSecret }

/** @param secrets  the pull secrets for nodes that bring none */
export function nodeRegistryOf(mirror: ImageProvider, secrets: BoxSecrets = {}): NodeRegistry {
  const general = generalSecret(secrets)
  const withOwn = async <O extends { secret?: PullSecret }>(reference: string, o: O): Promise<O> => {
    const secret = o.secret ?? (await secretInFile(secrets.authentication_config, reference))
    return secret === undefined ? o : { ...o, secret }
  }
  /** A registry that gives the image to everybody does not see the secret that is meant for all registries. */
  async function inspect(reference: string, o: Wanted) {
    const own = await withOwn(reference, o)
    if (own.secret !== undefined || general === undefined) return mirror.inspect(reference, own)
    try {
      return await mirror.inspect(reference, own)
    } catch (error) {
      if (!mayNeedSecret(error)) throw error
      if (!mayHaveGeneral(reference, secrets)) throw isRefusal(error) ? notGiven(error, reference) : error
      return await mirror.inspect(reference, { ...own, secret: general }).catch((cause: unknown) => {
        throw isRefusal(cause) ? new RegistryError(`${cause.message} It is that of [deploy] image_server_user.`) : cause
      })
    }
  }
  async function secretToHold({ reference, architecture }: { reference: string; architecture: string }, o: Secret) {
    const { secret } = await withOwn(reference, o)
    if (secret !== undefined || general === undefined || !mayHaveGeneral(reference, secrets)) return secret
    return mirror.inspect(reference, { architecture }).then(
      () => undefined,
      (error: unknown) => (mayNeedSecret(error) ? general : undefined),
    )
  }
  return {
    readSecret(value, reference) {
      const found = readPullSecret(value, reference)
      return 'problem' in found ? found : { secret: base64Of(found.credentials) }
    },
    inspect: (reference, o) => told(inspect(reference, o)),
    async hold(image, o) {
      const secret = await told(secretToHold(image, o))
      return told(mirror.hold(image, { ...o, ...(secret !== undefined && { secret }) }))
    },
    release: (owner) => told(mirror.release(owner)),
    revoke: (owner) => told(mirror.revoke(owner)),
    access: (image, o) => told(mirror.access(image, o)),
  }
}

const notGiven = ({ message }: ImageUnavailable, reference: string) =>
  new RegistryError(
    `${message} [deploy] image_server_user is not given to ${reference.split('/')[0]}: image_server_auth_hosts does not name it.`,
  )

type Secret = { secret?: PullSecret }

const isRefusal = (error: unknown): error is ImageUnavailable =>
  error instanceof ImageUnavailable && error.problem === 'refused'

/** An image that is here while its registry is out of reach may be for those alone who have its secret. */
const mayNeedSecret = (error: unknown) =>
  isRefusal(error) || (error instanceof ImageUnavailable && error.problem === 'unreachable')

async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof RegistryError ? new DeployFailure(error.message, { cause: error }) : error
  }
}
