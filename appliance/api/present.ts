/** Records as JSON text. Records are frozen, so a text that was made may be used again. */
import type { Json } from '../plugin-api/index.ts'
import { type Fields, fieldValue, namesServed } from './fields.ts'
import { createTexts } from './texts.ts'

/** `names`: the fields asked for; null for all of them. */
export type View = { minor: number; base: string; names: readonly string[] | null }
export type Present<R> = (record: R, view: View) => string

export type Presentation<R> = {
  /** Path of the collection, e.g. 'nodes'. */
  path: string
  fields: Fields<R>
  /** Names of the link lists that a whole record has besides `links`, e.g. ports, with their first version. */
  subresources?: Readonly<Record<string, number>>
}

export function createPresent<R extends { uuid: string }>(presentation: Presentation<R>): Present<R> {
  const texts = createTexts<R>()
  return (record, view) => {
    const key = `${view.minor} ${view.base} ${view.names ?? '*'}`
    const known = texts.get(record, key)
    if (known !== undefined) return known
    const text = JSON.stringify(shown(presentation, record, view))
    texts.keep(record, key, text)
    return text
  }
}

function shown<R extends { uuid: string }>(o: Presentation<R>, record: R, { minor, base, names }: View): Json {
  const entries = (names ?? namesServed(o.fields, minor)).map((name) => {
    const value = fieldValue(o.fields, record, name)
    const show = o.fields[name]?.show
    return [name, show ? show(value, minor) : value] as const
  })
  const path = `${o.path}/${record.uuid}`
  const subresources = Object.entries(names ? {} : (o.subresources ?? {}))
    .filter(([, since]) => minor >= since)
    .map(([name]) => [name, links(base, `${path}/${name}`)] as const)
  return Object.fromEntries([...entries, ['links', links(base, path)], ...subresources])
}

/** @param path  below /v1 */
export const links = (base: string, path: string) => [
  { href: `${base}/v1/${path}`, rel: 'self' },
  { href: `${base}/${path}`, rel: 'bookmark' },
]
