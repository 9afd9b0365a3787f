/** Records as JSON text. Records are frozen, so a text that was made may be used again. */
import { type Fields, fieldOf, fieldValue, namesServed } from './fields.ts'
import { createTexts } from './texts.ts'

const WRITERS_LIMIT = 64

/** `names`: the fields asked for; null for all of them. */
export type View = { minor: number; base: string; names: readonly string[] | null }
export type Present<R> = (record: R, view: View) => string

export type Presentation<R> = {
  /** Path of the collection, e.g. 'nodes'. */
  path: string
  fields: Fields<R>
  /** Names of the link lists that a whole record has besides `links`, e.g. ports, with their first version. */
  subresources?: Readonly<Record<string, number>>
  /** Whether each of them is in a list of its own once more. */
  nestsSubresources?: boolean | undefined
}

export function createPresent<R extends { uuid: string }>(presentation: Presentation<R>): Present<R> {
  const texts = createTexts<R>()
  const writers = new Map<string, Writer<R>>()
  /** One for each view that clients ask for; any client may make up more. */
  const writerOf = (key: string, view: View): Writer<R> => {
    const known = writers.get(key)
    if (known) return known
    if (writers.size >= WRITERS_LIMIT) writers.clear()
    const made = createWriter(presentation, view)
    writers.set(key, made)
    return made
  }
  return (record, view) => {
    const key = `${view.minor} ${view.base} ${view.names ?? '*'}`
    const known = texts.get(record, key)
    if (known !== undefined) return known
    const text = writerOf(key, view)(record)
    texts.keep(record, key, text)
    return text
  }
}

type Writer<R> = (record: R) => string

/**
 * Writes member by member, with all that is the same for every record made once: half the time of JSON.stringify of an
 * object with 70 members, which would be made for it alone.
 */
function createWriter<R extends { uuid: string }>(o: Presentation<R>, { minor, base, names }: View): Writer<R> {
  const asked = new Set(names ?? namesServed(o.fields, minor))
  const members = [...asked]
    .filter((name) => fieldOf(o.fields, name))
    .map((name, index) => ({
      name,
      before: `${index === 0 ? '{' : ','}"${name}":`,
      show: o.fields[name]?.show,
    }))
  const subresources = Object.entries(o.subresources ?? {}).filter(
    ([name, since]) => minor >= since && (!names || asked.has(name)),
  )
  // A uuid has no character that JSON writes in another way: what stands around it is ready.
  const ends = ['links', ...subresources.map(([name]) => name)].map((name, index) => {
    const path = `${o.path}/${UUID_PLACE}${index === 0 ? '' : `/${name}`}`
    const list = links(base, path)
    const isNested = index > 0 && o.nestsSubresources
    return `${members.length + index === 0 ? '{' : ','}"${name}":${JSON.stringify(isNested ? [list] : list)}`
  })
  const tail = `${ends.join('')}}`.split(UUID_PLACE)
  return (record) => {
    const text: string[] = []
    for (const { name, before, show } of members) {
      const value = fieldValue(o.fields, record, name)
      text.push(before, jsonOf(show ? show(value, minor) : value))
    }
    return text.join('') + tail.join(record.uuid)
  }
}

/** No address holds a blank. */
const UUID_PLACE = ' '

/** Most fields of most records are null. */
const jsonOf = (value: unknown): string => (value === null ? 'null' : JSON.stringify(value ?? null))

/** @param path  below /v1 */
export const links = (base: string, path: string) => [
  { href: `${base}/v1/${path}`, rel: 'self' },
  { href: `${base}/${path}`, rel: 'bookmark' },
]
