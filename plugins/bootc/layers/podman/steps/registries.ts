/**
 * Has podman pull from the appliance's mirror and from nowhere else, whatever the image is called. Made anew for each
 * install.
 */
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { authOf, mirrorOnly, repositoryOf } from '../../../mirror-text.ts'
import type { InstallArguments, Mirror } from './arguments.ts'

/** Not where podman looks by itself: only the pull is told of it. */
const AUTH_FILE = 'run/rackstrap/pull-auth.json'
const REGISTRIES_FILE = 'etc/containers/registries.conf.d/50-rackstrap.conf'
const CERTIFICATES = 'etc/containers/certs.d'

export type MirrorFiles = AsyncDisposable & {
  /** Gone as soon as the pull is over: nothing that the image runs finds it. */
  auth_file: string | undefined
}

/** What podman knows the image by, here. */
export const pulledName = ({ reference, digest }: Pick<InstallArguments, 'reference' | 'digest'>) =>
  `${repositoryOf(reference)}@${digest}`

export async function writeMirrorFiles(root: string, { reference, mirror }: InstallArguments): Promise<MirrorFiles> {
  await appear(join(root, REGISTRIES_FILE), mirrorOnly(reference, mirror))
  if (mirror.ca) await appear(join(root, CERTIFICATES, mirror.registry, 'ca.crt'), mirror.ca)
  const { location, ticket } = mirror
  const auth_file = ticket && join(root, AUTH_FILE)
  if (auth_file) await appear(auth_file, authFileOf(location, ticket), 0o600)
  return {
    auth_file,
    async [Symbol.asyncDispose]() {
      await rm(join(root, AUTH_FILE), { force: true })
    },
  }
}

/** Another image beside the first one, from the same mirror: it serves any upstream by its name. */
export async function addToMirrorFiles(root: string, mirror: Mirror, reference: string): Promise<void> {
  await appendFile(
    join(root, REGISTRIES_FILE),
    mirrorOnly(reference, { ...mirror, location: locationOf(mirror, reference) }),
  )
}

/** A colon cannot stand in a repository's name. */
function locationOf({ registry }: Mirror, reference: string): string {
  const [host = '', ...path] = repositoryOf(reference).split('/')
  return [registry, host.replace(':', '_'), ...path].join('/')
}

/** For that repository alone: the mirror would refuse the ticket for others. */
const authFileOf = (location: string, ticket: NonNullable<Mirror['ticket']>): string =>
  `${JSON.stringify({ auths: { [location]: { auth: authOf(ticket) } } })}\n`

async function appear(path: string, content: string, mode = 0o644): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  await rm(path, { force: true })
  await writeFile(path, content, { mode })
}
