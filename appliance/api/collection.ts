/** Lists of records: filters, order, pages. Knows no resource; each brings a table of its filters. */
import { z } from 'zod'
import { InvalidParameterValue, NotFound } from '../errors.ts'
import { checkAsked, type Fields, fieldOf, fieldValue, isServed } from './fields.ts'
import { requireMinor } from './microversions.ts'
import type { ApiParts, Call } from './parts.ts'
import type { Present, View } from './present.ts'
import { type Parameter, readQuery } from './query.ts'
import { commaList, flag, integer, text, uuid } from './schema.ts'

export type Filter<R> = Parameter & { matches(record: R, wanted: unknown): boolean }
export type Query = Readonly<Record<string, unknown>>

export function filter<R, S extends z.ZodType>(
  schema: S,
  matches: (record: R, wanted: z.output<S>) => boolean,
  since?: number,
): Filter<R> {
  return { schema, matches: matches as Filter<R>['matches'], ...(since === undefined ? {} : { since }) }
}

export type Collection<R> = {
  /** Key of the list in the answer. */
  name: string
  /** As it begins a sentence: "Node ... could not be found." */
  noun: string
  fields: Fields<R>
  filters: Readonly<Record<string, Filter<R>>>
  /** Fields of a list that is not asked for more. */
  defaults: readonly string[]
  /** Minor version since when a list may be asked for whole records; 43 when left out. */
  detailSince?: number
  /** What a marker looks like, of which no record has to be; a uuid when left out. An empty one is none. */
  marker?: z.ZodType<string>
  /** Names of the link lists that a record has besides `links`, with their first version. */
  subresources?: Readonly<Record<string, number>>
  present: Present<R>
  get(uuid: string): R | undefined
  /** @throws InvalidParameterValue, Forbidden  what cannot be asked for together */
  check?(query: Query): void
  /** What is left out unless the query asks for it. */
  hides?: ((record: R, query: Query) => boolean) | undefined
  /** In order of creation: all records, or only those that an index finds for this query. */
  candidates(query: Query): Iterable<R>
}

const PAGE = {
  limit: { schema: integer },
  marker: { schema: uuid },
  sort_key: { schema: text },
  sort_dir: { schema: z.enum(['asc', 'desc'], "Acceptable values are 'asc' or 'desc'") },
  // Versions that lack these two refuse them in words of their own, see viewOf.
  fields: { schema: commaList },
  detail: { schema: flag },
} satisfies Record<string, Parameter>
type Page = { limit: number; marker?: string; sort_key: string; sort_dir: 'asc' | 'desc' }

/** Answers GET of a collection; `isDetail` for its /detail. */
export function answerList<R extends { uuid: string }>(
  call: Call,
  { config }: Pick<ApiParts, 'config'>,
  collection: Collection<R>,
  isDetail = false,
): Response {
  const { fields, detail, ...others } = PAGE
  const page = { ...others, ...(collection.marker ? { marker: { schema: collection.marker } } : {}) }
  const parameters: Record<string, Parameter> = {
    ...page,
    ...(isDetail ? {} : { fields, detail }),
    ...collection.filters,
  }
  const query: Query = readQuery(call, parameters)
  collection.check?.(query)
  const view = viewOf(call, collection, query, isDetail)
  const asked = pageOf(collection, query, view.minor, config.api.max_limit)
  const { records, hasMore } = select(collection, query, asked)
  const texts = records.map((record) => collection.present(record, view))
  const last = records.at(-1)
  const next = hasMore && last ? `,"next":${JSON.stringify(nextHref(call, asked.limit, last.uuid))}` : ''
  // Bytes: a socket takes a long text ten times slower than what Buffer made of it.
  const bytes = Buffer.from(`{"${collection.name}":[${texts.join(',')}]${next}}`)
  return call.body(bytes, 200, { 'content-type': 'application/json' })
}

function viewOf<R>(call: Call, collection: Collection<R>, query: Query, isDetail: boolean): View {
  const { fields, detail } = query as { fields?: readonly string[]; detail?: boolean }
  const minor = call.get('minor')
  const base = call.get('base')
  if (detail !== undefined && minor < (collection.detailSince ?? 43)) {
    throw new InvalidParameterValue(`Invalid query parameter ?detail=${detail ? 'True' : 'False'} received.`)
  }
  if (fields && detail) {
    throw new InvalidParameterValue('Can not specify ?detail=True and fields in the same request.')
  }
  if (isDetail || detail) return { minor, base, names: null }
  if (fields) return { minor, base, names: askedFields(collection, fields, minor) }
  return { minor, base, names: collection.defaults.filter((n) => isServed(collection.fields[n] ?? {}, minor)) }
}

/** @throws InvalidParameterValue, NotAcceptable (also: `fields` itself came with 1.8) */
export function askedFields<R>(
  { fields, subresources = {} }: Pick<Collection<R>, 'fields' | 'subresources'>,
  names: readonly string[],
  minor: number,
): readonly string[] {
  requireMinor(minor, 8)
  const isLinks = (name: string) => name === 'links' || Object.hasOwn(subresources, name)
  checkAsked(
    fields,
    names.filter((name) => !isLinks(name)),
    minor,
  )
  return names
}

function pageOf<R>(collection: Collection<R>, query: Query, minor: number, most: number): Page {
  const { limit = most, marker, sort_dir = 'asc' } = query as Partial<Page>
  const sort_key = (query as Partial<Page>).sort_key || 'id'
  if (limit <= 0) throw new InvalidParameterValue('Limit must be positive')
  if (sort_key !== 'id') {
    const field = fieldOf(collection.fields, sort_key)
    if (!field || field.sortable === false) {
      throw new InvalidParameterValue(`The sort_key value "${sort_key}" is an invalid field for sorting`)
    }
    checkAsked(collection.fields, [sort_key], minor)
  }
  return { limit: Math.min(limit, most), sort_key, sort_dir, ...(marker ? { marker } : {}) }
}

/** The page's records. The marker's own place counts whether or not the filters let it through. */
function select<R extends { uuid: string }>(collection: Collection<R>, query: Query, page: Page) {
  const marker = page.marker === undefined ? undefined : collection.get(page.marker)
  if (page.marker !== undefined && !marker)
    throw new NotFound(`${collection.noun} ${page.marker.slice(0, 60)} could not be found.`)
  const filters = Object.entries(collection.filters).filter(([name]) => query[name] !== undefined)
  const records: R[] = []
  let isPast = !marker
  for (const record of ordered(collection, query, page, marker)) {
    if (record === marker) isPast = true
    else if (
      isPast &&
      !collection.hides?.(record, query) &&
      filters.every(([name, { matches }]) => matches(record, query[name]))
    ) {
      if (records.length === page.limit) return { records, hasMore: true }
      records.push(record)
    }
  }
  return { records, hasMore: false }
}

function ordered<R extends object>(collection: Collection<R>, query: Query, page: Page, marker?: R): Iterable<R> {
  const { sort_key, sort_dir } = page
  const candidates = collection.candidates(query)
  // A marker that is none of the candidates has nothing behind it, here as there.
  if (sort_key === 'id' && sort_dir === 'asc') return candidates
  const records = new Set(candidates)
  if (marker) records.add(marker)
  const list = [...records]
  if (sort_key !== 'id') {
    const keys = new Map(list.map((record) => [record, sortable(fieldValue(collection.fields, record, sort_key))]))
    list.sort((a, b) => compare(keys.get(a) ?? '', keys.get(b) ?? ''))
  }
  return sort_dir === 'desc' ? list.reverse() : list
}

/** Records without a value come first. */
const sortable = (value: unknown): string => (value === null ? '' : String(value))
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** The same query, past this record. Filters stay in it. */
function nextHref(call: Call, limit: number, marker: string): string {
  const query = new URLSearchParams({ ...call.req.query(), limit: String(limit), marker })
  return `${call.get('base')}${call.req.path}?${query}`
}
