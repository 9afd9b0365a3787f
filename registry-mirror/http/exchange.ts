/** One request with all that an endpoint needs to answer it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RegistryLog } from '../config/config.ts'
import { parseName, type RepositoryName } from '../oci/names.ts'
import type { Content } from '../storage/content.ts'
import type { Storage } from '../storage/storage.ts'
import type { Buffers } from './send-blob.ts'

export type Served = {
  storage: Storage
  content: Content
  log: RegistryLog
  buffers: Buffers
  /** Called with the size of each chunk of a blob or manifest that goes out. */
  onBytes(bytes: number): void
}

export type Exchange = Served & {
  request: IncomingMessage
  response: ServerResponse
  query: URLSearchParams
  /** Default: all repositories. */
  sees?: Sees
}
/** Whether the client may know of a repository. */
export type Sees = (name: RepositoryName) => boolean

/**
 * Where a pull looks: containerd tells the registry that a name belongs to as `ns`, and we keep docker.io's
 * library/debian as docker.io/library/debian. A repository that is not found so may have the plain name.
 */
export function* placesOf(name: RepositoryName, query: URLSearchParams): Generator<Place> {
  const ns = query.get('ns')
  const scoped = ns ? parseName(`${ns}/${name}`) : undefined
  if (scoped !== undefined && ns !== null) yield { name: scoped, headers: { 'oci-namespace': ns } }
  yield { name, headers: {} }
}
export type Place = { name: RepositoryName; headers: Readonly<Record<string, string>> }

/** The first place that has it. */
export async function findIn<T>(
  { query }: Exchange,
  name: RepositoryName,
  look: (name: RepositoryName) => Promise<T | undefined>,
): Promise<(Place & { found: T }) | undefined> {
  for (const place of placesOf(name, query)) {
    const found = await look(place.name)
    if (found !== undefined) return { ...place, found }
  }
  return undefined
}
