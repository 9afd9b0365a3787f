/**
 * Pins of the operator, which protect from eviction: a repository, a tag (wherever it points), or a manifest, each
 * with all it needs.
 */

import { type Digest, parseDigest } from '../oci/digest.ts'
import { RegistryError } from '../oci/errors.ts'
import { parseName, parseTag, type RepositoryName, type Tag } from '../oci/names.ts'
import type { Storage } from '../storage/storage.ts'

export type Target = { name: RepositoryName; tag?: Tag; digest?: Digest }

/** @throws RegistryError  `text` is neither NAME, NAME:TAG nor NAME@DIGEST */
export function parseTarget(text: string): Target {
  const [, nameText = '', tagText, digestText] = /^([^:@]+)(?::([^@]+)|@(.+))?$/.exec(text) ?? []
  const name = parseName(nameText)
  const tag = tagText === undefined ? undefined : parseTag(tagText)
  const digest = digestText === undefined ? undefined : parseDigest(digestText)
  if (name === undefined || (tagText !== undefined && !tag) || (digestText !== undefined && !digest))
    throw new RegistryError(
      `'${text}' names nothing here: expected REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST, such as docker.io/library/debian:12.`,
    )
  return { name, ...(tag && { tag }), ...(digest && { digest }) }
}

/**
 * The manifests of a repository that pins, sync sets or holds name by themselves; 'all' when the repository is
 * pinned.
 */
export async function pinnedIn(storage: Storage, name: RepositoryName): Promise<ReadonlySet<Digest> | 'all'> {
  const { pins, sets, held } = storage.state
  if (Object.hasOwn(pins, name)) return 'all'
  const pinned = new Set<Digest>((held.get(name) ?? []).map(({ digest }) => digest))
  for (const text of [...Object.keys(pins), ...Object.values(sets).flat()]) {
    if (!text.startsWith(`${name}:`) && !text.startsWith(`${name}@`)) continue
    const { tag, digest } = parseTarget(text)
    const found = digest ?? (tag && (await storage.repositories.taggedDigest(name, tag)))
    if (found) pinned.add(found)
  }
  return pinned
}
