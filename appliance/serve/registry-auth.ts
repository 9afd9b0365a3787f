/** Pull secrets of the box, for container images of nodes that bring none: a registry auth file as podman has it. Never tells what is in it. */
import { readFile } from 'node:fs/promises'
import { DeployFailure } from '../errors.ts'
import type { PullSecret } from '../plugin-api/index.ts'

type Json = Record<string, unknown>

const isTable = (value: unknown): value is Json => value !== null && typeof value === 'object' && !Array.isArray(value)

/** @returns undefined: there is none for it @throws DeployFailure  the file cannot be used */
export async function secretOfBox(path: string | undefined, reference: string): Promise<PullSecret | undefined> {
  if (path === undefined || path === '') return undefined
  const auths = await readAuths(path)
  for (const place of placesOf(reference)) {
    const entry = Object.hasOwn(auths, place) ? auths[place] : undefined
    if (!isTable(entry)) continue
    const { auth } = entry
    if (typeof auth === 'string' && auth !== '') return auth
  }
  return undefined
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
