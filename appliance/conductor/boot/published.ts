/**
 * Texts that one machine fetches from an address of its own, such as a kickstart file. Whoever does not know the
 * address gets nothing.
 */
import { randomBytes } from 'node:crypto'
import { isSameText } from '@appliance/ground/same-text'
import { InvalidParameterValue } from '../../errors.ts'
import type { PublishedText } from '../../records/kinds/boot.ts'
import type { Parts } from '../parts/parts.ts'
import { setBoot } from './record.ts'

const KEY_BYTES = 24
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const COUNT_LIMIT = 20
const LIMIT_BYTES = 256 * 1024
const PATH = /^\/nodes\/([0-9a-f-]{36})\/([A-Za-z0-9_-]{32})\/([A-Za-z0-9._-]{1,64})$/

/**
 * A text of the same name is replaced, and its address stays.
 * @returns its address. @throws InvalidParameterValue  a name that is none, too many, too much
 */
export async function publish(
  parts: Pick<Parts, 'store' | 'http_url'>,
  uuid: string,
  name: string,
  { text, until }: Omit<PublishedText, 'key'>,
): Promise<string> {
  if (!NAME.test(name)) {
    throw refused(
      `the name ${JSON.stringify(name).slice(0, 100)}: letters, digits, ".", "_" and "-" are expected, at most 64`,
    )
  }
  let key = randomBytes(KEY_BYTES).toString('base64url')
  await setBoot(parts, uuid, ({ texts_secret }) => {
    key = texts_secret[name]?.key ?? key
    const texts = { ...texts_secret, [name]: { key, text, until } }
    const bytes = Object.values(texts).reduce((sum, one) => sum + Buffer.byteLength(one.text), 0)
    if (bytes > LIMIT_BYTES) throw refused(`${bytes} bytes: at most ${LIMIT_BYTES} are taken`)
    if (Object.keys(texts).length > COUNT_LIMIT) throw refused(`more than ${COUNT_LIMIT} texts`)
    return { texts_secret: texts }
  })
  return `${parts.http_url()}/nodes/${uuid}/${key}/${name}`
}

const refused = (found: string) => new InvalidParameterValue(`What was published for a machine has ${found}.`)

/** @param path  of a request, without the path of http_url */
export function publishedText(
  parts: Pick<Parts, 'store'>,
  path: string,
): { node: string; name: string; text: string } | undefined {
  const [, node = '', key = '', name = ''] = PATH.exec(path) ?? []
  const texts = parts.store.boots.get(node)?.texts_secret
  const found = texts && Object.hasOwn(texts, name) ? texts[name] : undefined
  if (!found || !isSameText(found.key, key)) return undefined
  return { node, name, text: found.text }
}
