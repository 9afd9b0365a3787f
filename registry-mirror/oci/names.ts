/**
 * Names of repositories and tags by the grammar of the distribution specification. Nothing else can become part of a
 * path.
 */

/**
 * Made by parseName only: its components start with a letter or a digit, so that none can be `..` or one of our own
 * folders.
 */
export type RepositoryName = string & { readonly kind: 'repository' }
/** Made by parseTag only. */
export type Tag = string & { readonly kind: 'tag' }

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const NAME = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`)
/** What clients bear; a component is a file name, too. */
const NAME_LIMIT = 255
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

export const parseName = (text: string): RepositoryName | undefined =>
  text.length <= NAME_LIMIT && NAME.test(text) ? (text as RepositoryName) : undefined

export const parseTag = (text: string): Tag | undefined => (TAG.test(text) ? (text as Tag) : undefined)
