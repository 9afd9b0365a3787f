/** Has podman pull from the appliance's mirror and from nowhere else, whatever the image is called. Made anew for each install. */
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { InstallArguments, Mirror } from './arguments.ts'

/** Not where podman looks by itself: only the pull is told of it. */
const AUTH_FILE = 'run/rackstrap/pull-auth.json'
const REGISTRIES_FILE = 'etc/containers/registries.conf.d/50-rackstrap.conf'
const CERTIFICATES = 'etc/containers/certs.d'

export type MirrorFiles = AsyncDisposable & {
  /** Gone as soon as the pull is over: nothing that the image runs finds it. */
  auth_file: string | undefined
}

/** quay.io/org/app:v1@sha256:... is of the repository quay.io/org/app. */
export const repositoryOf = (reference: string) => reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '')

/** What podman knows the image by, here. */
export const pulledName = ({ reference, digest }: Pick<InstallArguments, 'reference' | 'digest'>) =>
  `${repositoryOf(reference)}@${digest}`

export async function writeMirrorFiles(root: string, { reference, mirror }: InstallArguments): Promise<MirrorFiles> {
  await appear(join(root, REGISTRIES_FILE), registriesOf(reference, mirror))
  if (mirror.ca) await appear(join(root, CERTIFICATES, mirror.registry, 'ca.crt'), mirror.ca)
  const auth_file = mirror.ticket && join(root, AUTH_FILE)
  if (auth_file) await appear(auth_file, authOf(mirror), 0o600)
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
    registriesOf(reference, { ...mirror, location: locationOf(mirror, reference) }),
  )
}

/** A colon cannot stand in a repository's name. */
function locationOf({ registry }: Mirror, reference: string): string {
  const [host = '', ...path] = repositoryOf(reference).split('/')
  return [registry, host.replace(':', '_'), ...path].join('/')
}

/** The name stays the canonical one, so that the installed system keeps it, too. */
export function registriesOf(reference: string, mirror: Mirror): string {
  return `[[registry]]
prefix = "${repositoryOf(reference)}"
location = "${mirror.location}"
insecure = ${mirror.insecure}
`
}

/** For that repository alone: the mirror would refuse the ticket for others. */
function authOf({ location, ticket }: Mirror): string {
  const auth = Buffer.from(`${ticket?.username}:${ticket?.password}`).toString('base64')
  return `${JSON.stringify({ auths: { [location]: { auth } } })}\n`
}

async function appear(path: string, content: string, mode = 0o644): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  await rm(path, { force: true })
  await writeFile(path, content, { mode })
}
