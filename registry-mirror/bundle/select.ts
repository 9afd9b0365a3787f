/** Which images an operator means: exact references, or patterns over what the registry has. */
import { type Digest, parseDigest } from '../oci/digest.ts'
import { parseName, parseTag, type RepositoryName, type Tag } from '../oci/names.ts'
import type { RegistryClient } from './client.ts'
import { BundleError } from './format.ts'

export type Reference = { repository: RepositoryName; reference: Digest | Tag }

/**
 * @param texts  NAME (all its tags), NAME:TAG, NAME@DIGEST; `*` stands for anything in a name or tag
 * @throws BundleError
 */
export async function imagesFor(
  client: RegistryClient,
  texts: readonly string[],
  { mayBeNone = false } = {},
): Promise<Reference[]> {
  const found: Reference[] = []
  for (const text of texts) {
    const some = await imagesOf(client, text)
    if (some.length === 0 && !mayBeNone) throw new BundleError(`The registry has no image that ${text} means.`)
    found.push(...some)
  }
  return found
}

async function imagesOf(client: RegistryClient, text: string): Promise<Reference[]> {
  const [, nameText = '', tagText, digestText] = /^([^:@]+)(?::([^:@]+)|@(.+))?$/.exec(text) ?? []
  const name = parseName(nameText)
  if (name !== undefined) {
    const reference = digestText === undefined ? parseTag(tagText ?? '') : parseDigest(digestText)
    if (reference !== undefined) return [{ repository: name, reference }]
  }
  if (digestText !== undefined || !/^[a-z0-9._/*-]+$/.test(nameText) || !/^[A-Za-z0-9._*-]*$/.test(tagText ?? ''))
    throw new BundleError(
      `'${text}' cannot name an image: expected NAME, NAME:TAG or NAME@DIGEST; * stands for anything.`,
    )
  const names = name === undefined ? (await client.repositories()).filter(matcher(nameText)) : [name]
  const isWanted = matcher(tagText ?? '*')
  const lists = await Promise.all(
    names.map(async (repository) =>
      ((await client.tags(repository)) ?? []).filter(isWanted).map((reference) => ({ repository, reference })),
    ),
  )
  return lists.flat()
}

function matcher(pattern: string): (text: string) => boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.]/g, '\\.'))
  const expression = new RegExp(`^${parts.join('.*')}$`)
  return (text) => expression.test(text)
}
