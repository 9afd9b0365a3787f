/** Records as JSON text. Records are frozen, so each text is made once and kept as long as its record lives. */
import type { Json } from '../plugin-api/index.ts'
import { type Fields, fieldValue, namesServed } from './fields.ts'

/** `names`: the fields asked for; null for all of them. */
export type View = { minor: number; base: string; names: readonly string[] | null }
export type Present<R> = (record: R, view: View) => string

/** Texts kept for one record: the views that clients ask for again and again. */
const KEPT_VIEWS = 4

export type Presentation<R> = {
  /** Path of the collection, e.g. 'nodes'. */
  path: string
  fields: Fields<R>
  /** Names of the link lists that a whole record has besides `links`, e.g. ports, with their first version. */
  subresources?: Readonly<Record<string, number>>
}

export function createPresent<R extends { uuid: string }>(presentation: Presentation<R>): Present<R> {
  const texts = new WeakMap<R, Map<string, string>>()
  return (record, view) => {
    const key = `${view.minor} ${view.base} ${view.names ?? '*'}`
    const kept = texts.get(record)
    const known = kept?.get(key)
    if (known !== undefined) return known
    const text = JSON.stringify(shown(presentation, record, view))
    if (!kept) texts.set(record, new Map([[key, text]]))
    else {
      if (kept.size >= KEPT_VIEWS) kept.delete(kept.keys().next().value ?? '')
      kept.set(key, text)
    }
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
