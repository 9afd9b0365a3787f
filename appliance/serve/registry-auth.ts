/** Pull secrets of the box, for container images of nodes that bring none. Never tells what they are. */
import { readFile } from 'node:fs/promises'
import { DeployFailure } from '../errors.ts'
import { isTable } from '../is-table.ts'
import type { Json, PullSecret } from '../plugin-api/index.ts'

/** As the configuration has them. */
export type BoxSecrets = {
  /** A registry auth file as podman and docker have it. */
  authentication_config?: string | undefined
  /** For every registry that asks for credentials. */
  image_server_user?: string | undefined
  image_server_password?: string | undefined
}
const base64 = (text: string): PullSecret => Buffer.from(text).toString('base64')

/** @returns undefined: neither is of use without the other */
export function generalSecret({ image_server_user: user, image_server_password: password }: BoxSecrets) {
  return user && password ? base64(`${user}:${password}`) : undefined
}

/** @returns undefined: there is none for it @throws DeployFailure  the file cannot be used */
export async function secretInFile(path: string | undefined, reference: string): Promise<PullSecret | undefined> {
  if (path === undefined || path === '') return undefined
  const auths = new Map(Object.entries(await readAuths(path)).map(([place, entry]) => [plainPlace(place), entry]))
  for (const place of placesOf(reference)) {
    const secret = secretOf(auths.get(place))
    if (secret !== undefined) return secret
  }
  return undefined
}

/** docker writes https://index.docker.io/v1/ for its own, and other registries now and then as addresses, too. */
function plainPlace(place: string): string {
  const plain = place.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '')
  return plain === 'index.docker.io' || plain === 'registry-1.docker.io' ? 'docker.io' : plain
}

/** `auth` is base64 of both; older tools and Kubernetes write them apart. */
function secretOf(entry: unknown): PullSecret | undefined {
  if (!isTable(entry)) return undefined
  const { auth, username, password } = entry
  if (typeof auth === 'string' && auth.trim() !== '') return auth.trim()
  const areBoth = typeof username === 'string' && username !== '' && typeof password === 'string' && password !== ''
  return areBoth ? base64(`${username}:${password}`) : undefined
}

/** The most particular one first: quay.io/org/app, quay.io/org, quay.io. @source containers-auth.json(5) */
function placesOf(reference: string): string[] {
  const parts = reference
    .replace(/@.*$/, '')
    .replace(/:[^/:]*$/, '')
    .split('/')
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/'))
}

async function readAuths(path: string): Promise<Json> {
  const unusable = (why: string) =>
    new DeployFailure(
      `[oci] authentication_config ${path} cannot be used: ${why}. Correct it, or take the option away.`,
    )
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw unusable(error.code === 'ENOENT' ? 'there is no such file' : error.message)
  })
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch {
    // The parser's words would quote the file.
    throw unusable('it is not JSON')
  }
  if (isTable(file) && isTable(file.auths)) return file.auths
  throw unusable('it has no object "auths"')
}
