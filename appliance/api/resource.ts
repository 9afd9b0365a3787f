/**
 * The one generic resource: list, detail, show, create, patch and delete of the records of one kind, from a row. Knows
 * no resource: what is particular to one stands in its row, and in the functions that the row names.
 */
import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import { InvalidParameterValue, MethodNotAllowed, NotFound } from '../errors.ts'
import type { Json } from '../plugin-api/index.ts'
import type { Base } from '../records/kind.ts'
import type { Node } from '../records/kinds/node.ts'
import type { Records } from '../records/store.ts'
import { readJson } from './body.ts'
import { answerList, askedFields, type Filter, type Query } from './collection.ts'
import { checkWritten, type Fields, writableNames } from './fields.ts'
import type { Patch } from './json-patch.ts'
import { requireMinor } from './microversions.ts'
import { servedSince } from './not-served.ts'
import type { ApiParts, App, Call } from './parts.ts'
import { createPatcher, type Patcher } from './patch.ts'
import { createPresent, type Present } from './present.ts'
import { type Parameters, readQuery } from './query.ts'
import { commaList, isLogicalName, isUuid, parse } from './schema.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

/** What a request brought beside its path and its body. */
export type Asked = { minor: number; ident: string; query: Query; caller: Caller; hasJsonSuffix: boolean }

export type Resource<R extends Base> = {
  /** Of its collection: its place below /v1, and the key of the list in an answer. */
  name: string
  /** The key, where it is another. */
  key?: string
  /** Minor version that brought it: below, there is no such path. */
  since?: number
  /** A write below `since` is 405 and told this; the path is not found when left out. */
  refusedBefore?: { what: string; allow: readonly string[] }
  /** Minor version since when its records are found by name. They are found by uuid alone when left out. */
  named?: number
  /** As it begins a sentence: "Node ... could not be found." */
  noun: string
  records: Records<R>
  fields: Fields<R>
  /** Fields of a list that is not asked for more. */
  defaults: readonly string[]
  filters: Readonly<Record<string, Filter<R>>>
  /** Minor version since when a list may be asked for whole records; 43 when left out. */
  detailSince?: number
  /** What a marker of its list looks like; a uuid when left out. */
  marker?: z.ZodType<string>
  /** Names of the link lists that a whole record has besides `links`, e.g. ports, with their first version. */
  subresources?: Readonly<Record<string, number>>
  /** Whether each of them is in a list of its own once more. @source Ironic api/controllers/v1/chassis.py */
  nestsSubresources?: boolean
  /** What cannot be asked for together, of all records or (`isWithin`) of those of another one. */
  checkQuery?(query: Query, isWithin: boolean): void
  /** What lists leave out unless the query asks for it. */
  hides?(record: R, query: Query): boolean
  /** Whether a DELETE of the collection itself takes all of its records. */
  deletesAll?: boolean
  /** In order of creation: all records, or only those that an index finds for this query. All when left out. */
  candidates?(query: Query): Iterable<R>
  /** Other collections that list some of its records, e.g. `nodes/:node/ports`. */
  within?: readonly { path: string; since?: number; candidates(call: Call): Iterable<R> }[]
  /**
   * The node that is reserved while one of its records is patched or deleted, and asked whether it lets that happen.
   */
  node?: {
    uuidOf(record: R): string
    checkPatch?(node: Node, record: R, asked: Asked): void
    checkChange?(node: Node, record: R, change: Partial<R>): void
    checkDelete?(node: Node, record: R): void
  }
  create?: {
    /** Fields without which there is no record. */
    required?: readonly string[]
    /** What the body may hold beside the fields. */
    also?: Parameters
    /** Clients of old versions send empty fields of later ones: they do not count as given. */
    ignoresEmpty?: boolean
    /** From what was given, null left out, to a record. Its defaults make it whole when left out. */
    draft?(given: Json, asked: Asked): Partial<R> | Promise<Partial<R>>
    /** Told of each new record, when it is durable. */
    created?(record: R, given: Json): Promise<R | undefined>
  }
  /** How a record is deleted where that takes more than its own going. */
  remove?(record: R): Promise<void>
  patch?: {
    query?: Parameters
    /** Whether a patch may remove a field that its microversion does not have. */
    removesUnserved?: boolean
    /** What no record could take. */
    check?(patch: Patch, asked: Asked): void
    /** What this record does not take now. */
    checkRecord?(record: R, patch: Patch, asked: Asked): void
    /** From the fields that the patch changes, checked, to the change; the fields themselves when left out. */
    change?(record: R, fields: Json, asked: Asked, patch: Patch): Partial<R>
    /** Told of each change once, when it is durable. */
    changed?(before: R, after: R): void | Promise<void>
  }
}

/** What stands below the path of a collection for each of its records. */
export function addResource<R extends Base>(app: App, parts: ApiParts, row: Resource<R>): void {
  const { name, records } = row
  const present = createPresent({ ...row, path: name })
  const patcher = createPatcher(row.fields, row.patch)
  const bodySchema = creationSchema(row)
  const limit = parts.config.api.max_json_body_size
  const answer = (call: Call, record: R, o: { names?: readonly string[]; code?: 200 | 201 } = {}) => {
    const view = { minor: call.get('minor'), base: call.get('base'), names: o.names ?? null }
    return call.body(present(record, view), o.code ?? 200, JSON_TYPE)
  }
  const asked = (call: Call, query: Query = {}): Asked => {
    const { since = 0, refusedBefore } = row
    if (call.get('minor') < since && call.req.method !== 'GET' && refusedBefore) {
      throw new MethodNotAllowed(`The API version does not allow ${refusedBefore.what}`, refusedBefore.allow)
    }
    servedSince(call, since)
    const [minor, caller, hasJsonSuffix] = [call.get('minor'), call.get('caller'), call.get('hasJsonSuffix')]
    return { minor, ident: call.req.param('ident') ?? '', query, caller, hasJsonSuffix }
  }

  addLists(app, parts, { row, present })
  app.get(`/v1/${name}/:ident`, (call) => {
    const request = asked(call)
    const { minor } = request
    const { fields } = readQuery(call, { fields: { schema: commaList } })
    const record = findAsked(row, request)
    return answer(call, record, fields ? { names: askedFields(row, fields, minor) } : {})
  })
  app.post(`/v1/${name}`, async (call) => {
    const request = asked(call)
    const given = readCreation(row, parse(bodySchema, await readJson(call, limit), kindOf(row)), request.minor)
    const draft = row.create?.draft ? await row.create.draft(given, request) : (given as Partial<R>)
    const made = await records.create(records.draft(draft))
    const record = (await row.create?.created?.(made, given)) ?? made
    call.header('location', `${call.get('base')}/v1/${name}/${record.uuid}`)
    return answer(call, record, { code: 201 })
  })
  app.patch(`/v1/${name}/:ident`, async (call) => {
    const request = asked(call, row.patch?.query ? readQuery(call, row.patch.query) : {})
    const patch = patcher.read(await readJson(call, limit), request.minor)
    row.patch?.check?.(patch, request)
    const record = findAsked(row, request)
    return answer(call, await patched(parts, row, { record, patch, asked: request, patcher }))
  })
  app.delete(`/v1/${name}/:ident`, async (call) => {
    const record = findAsked(row, asked(call))
    await reserving(parts, row, { record, purpose: 'deletion' }, async (node) => {
      if (node) row.node?.checkDelete?.(node, record)
      await (row.remove?.(record) ?? records.delete(record.uuid))
    })
    return call.body(null, 204)
  })
  if (row.deletesAll) {
    app.delete(`/v1/${name}`, async (call) => {
      asked(call)
      await Promise.all([...records.all()].map(({ uuid }) => records.delete(uuid)))
      return call.body(null, 204)
    })
  }
}

/** As it stands inside a sentence. */
const kindOf = ({ noun }: { noun: string }) => noun.toLowerCase()

type Findable<R extends Base> = Pick<Resource<R>, 'noun' | 'named'> & { records: Pick<Records<R>, 'find' | 'notFound'> }

/** By uuid, or by name. @throws InvalidParameterValue (neither of both), NotFound */
export function findRecord<R extends Base>(row: Findable<R>, ident: string, minor: number): R {
  if (!isUuid(ident) && (row.named === undefined || !isLogicalName(ident))) {
    const [expected, argument] = row.named === undefined ? ['UUID', 'uuid'] : ['UUID or name', 'ident']
    throw new InvalidParameterValue(
      `Expected ${expected} for ${kindOf(row).split(' ').at(-1)}_${argument}: ${ident.slice(0, 60)}`,
    )
  }
  if (!isUuid(ident) && minor < (row.named ?? 0)) throw row.records.notFound(ident)
  return row.records.find(ident)
}

/** A name may well end in `.json`. @source Ironic api/controllers/v1/utils._get_with_suffix */
function findAsked<R extends Base>(row: Findable<R>, { ident, minor, hasJsonSuffix }: Asked): R {
  try {
    return findRecord(row, ident, minor)
  } catch (error) {
    if (!hasJsonSuffix || !(error instanceof NotFound)) throw error
    return findRecord(row, `${ident}.json`, minor)
  }
}

function addLists<R extends Base>(app: App, parts: ApiParts, o: { row: Resource<R>; present: Present<R> }): void {
  const { row, present } = o
  const all = (query: Query) => row.candidates?.(query) ?? row.records.all()
  const collection = {
    ...row,
    name: row.key ?? row.name,
    present,
    get: (uuid: string) => row.records.get(uuid),
    candidates: all,
  }
  const lists = [
    { path: row.name, since: 0, isWithin: false, candidates: () => all },
    ...(row.within ?? []).map(listedWithin),
  ]
  for (const { path, since, isWithin, candidates } of lists) {
    for (const isDetail of [false, true]) {
      app.get(`/v1/${path}${isDetail ? '/detail' : ''}`, (call) => {
        servedSince(call, Math.max(row.since ?? 0, since))
        const check = (query: Query) => row.checkQuery?.(query, isWithin)
        return answerList(call, parts, { ...collection, check, candidates: candidates(call) }, isDetail)
      })
    }
  }
}

type Within<R extends Base> = NonNullable<Resource<R>['within']>[number]

/** Filters narrow what another collection lists, too; its records are taken before the query is looked at. */
function listedWithin<R extends Base>({ path, since = 0, candidates }: Within<R>) {
  return {
    path,
    since,
    isWithin: true,
    candidates(call: Call) {
      const records = candidates(call)
      return () => records
    },
  }
}

function creationSchema<R extends Base>({ fields, create = {} }: Resource<R>): z.ZodType<Json> {
  const { required = [], also = {} } = create
  const given = writableNames(fields, 'create').map((name) => {
    const schema = fields[name]?.write ?? z.never()
    return [name, required.includes(name) ? schema : schema.optional()] as const
  })
  const beside = Object.entries(also).map(([name, { schema }]) => [name, schema.optional()] as const)
  return z.strictObject(Object.fromEntries([...given, ...beside]), 'expected an object')
}

/** What was given, null left out. @throws NotAcceptable  fields of a later version */
function readCreation<R extends Base>({ fields, create = {} }: Resource<R>, given: Json, minor: number): Json {
  for (const [name, { since = 0 }] of Object.entries(create.also ?? {})) if (name in given) requireMinor(minor, since)
  const isEmpty = (name: string) => given[name] === null || given[name] === fields[name]?.none
  const names = Object.keys(given)
  checkWritten(fields, create.ignoresEmpty ? names.filter((name) => !isEmpty(name)) : names, minor)
  const present = Object.entries(given).filter(([, value]) => value !== null)
  return Object.fromEntries(present.map(([name, value]) => [name, fields[name]?.keep?.(undefined, value) ?? value]))
}

type Patching<R extends Base> = { record: R; patch: Patch; asked: Asked; patcher: Patcher<R> }

/**
 * Planned before the node is reserved, so that what cannot be is refused at once; and again on the record as it is by
 * then.
 */
async function patched<R extends Base>(parts: ApiParts, row: Resource<R>, o: Patching<R>): Promise<R> {
  const { record, patch, asked } = o
  const plan = (current: R): Partial<R> => {
    row.patch?.checkRecord?.(current, patch, asked)
    const fields = o.patcher.changes(current, patch)
    return row.patch?.change?.(current, fields, asked, patch) ?? (fields as Partial<R>)
  }
  plan(record)
  let before = record
  const after = await reserving(parts, row, { record, purpose: 'update' }, async (node) => {
    if (node) row.node?.checkPatch?.(node, record, asked)
    return row.records.update(record.uuid, (current) => {
      before = current
      const change = plan(current)
      if (node) row.node?.checkChange?.(node, current, change)
      return change
    })
  })
  await row.patch?.changed?.(before, after)
  return row.records.get(record.uuid) ?? after
}

/** @throws NodeLocked */
function reserving<R extends Base, T>(
  { conductor }: ApiParts,
  row: Resource<R>,
  { record, purpose }: { record: R; purpose: string },
  work: (node?: Node) => Promise<T>,
): Promise<T> {
  if (!row.node) return work()
  return conductor.withNode(row.node.uuidOf(record), `${kindOf(row)} ${purpose}`, work)
}
