/** /v1/conductors: this process is the only one there is. */
import { z } from 'zod'
import { InvalidParameterValue, NotFound } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import { servedSince } from '../not-served.ts'
import type { ApiParts, App, Call } from '../parts.ts'
import { links } from '../present.ts'
import { readQuery } from '../query.ts'
import { commaList, flag, integer, text } from '../schema.ts'
import { only } from './only.ts'

const SINCE = 49
const SORT_KEYS = ['id', 'hostname', 'conductor_group', 'created_at', 'updated_at']
const LIST = {
  detail: { schema: flag },
  fields: { schema: commaList },
  marker: { schema: text },
  limit: { schema: integer },
  sort_key: { schema: text },
  sort_dir: { schema: z.enum(['asc', 'desc'], "Acceptable values are 'asc' or 'desc'") },
}

/** @param startedAt  as records have it */
export function addConductors(app: App, { conductor }: ApiParts, startedAt: string): void {
  const { hostname } = conductor
  const shown = (call: Call): Json => ({
    hostname,
    conductor_group: '',
    alive: true,
    links: links(call.get('base'), `conductors/${encodeURIComponent(hostname)}`),
  })
  const whole = (call: Call): Json => ({
    ...shown(call),
    created_at: startedAt,
    updated_at: null,
    drivers: conductor.drivers().map(({ name }) => name),
  })
  const checkName = (name: string) => {
    if (name !== hostname) throw new NotFound(`Conductor ${name.slice(0, 255)} could not be found.`)
  }
  app.get('/v1/conductors', (call) => {
    servedSince(call, SINCE)
    const { detail, fields, marker, limit = 1, sort_key = 'id' } = readQuery(call, LIST)
    if (detail && fields) {
      throw new InvalidParameterValue('Can not specify ?detail=True and fields in the same request.')
    }
    if (limit <= 0) throw new InvalidParameterValue('Limit must be positive')
    if (!SORT_KEYS.includes(sort_key)) {
      throw new InvalidParameterValue(`The sort_key value "${sort_key}" is an invalid field for sorting`)
    }
    if (marker !== undefined) checkName(marker)
    const one = detail || fields ? only(whole(call), fields) : shown(call)
    return call.json({ conductors: marker === undefined ? [one] : [] })
  })
  app.get('/v1/conductors/:hostname', (call) => {
    servedSince(call, SINCE)
    const { fields } = readQuery(call, { fields: { schema: commaList } })
    checkName(call.req.param('hostname'))
    return call.json(only(whole(call), fields))
  })
}
