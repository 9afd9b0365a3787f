/** /v1/nodes/{node}/bios and /firmware: what the machine told of itself. */
import { InvalidParameterValue, NotFound } from '../../../errors.ts'
import type { Json } from '../../../plugin-api/index.ts'
import { servedSince } from '../../not-served.ts'
import type { ApiParts, App, Call } from '../../parts.ts'
import { links } from '../../present.ts'
import { readQuery } from '../../query.ts'
import { commaList, flag } from '../../schema.ts'
import { nodeOf } from './names.ts'

const BIOS_SINCE = 40
/** Since when a setting has what the registry of the BIOS says of it, and its list `detail` and `fields`. */
const REGISTRY_SINCE = 74
const PLAIN = ['name', 'value']
const REGISTRY = [
  ...PLAIN,
  ...['attribute_type', 'allowable_values', 'lower_bound', 'max_length', 'min_length', 'read_only'],
  ...['reset_required', 'unique', 'upper_bound'],
]
const FIRMWARE_SINCE = 86
const VERSIONS = ['component', 'initial_version', 'current_version', 'last_version_flashed']
const IDENTITY_SINCE = 114
/** What no BMC of ours tells: null. */
const IDENTITY = ['vendor', 'model', 'serial_number']
const TIMES = ['created_at', 'updated_at']

export function addReadings(app: App, parts: ApiParts): void {
  const read = (call: Call) => parts.store.readings.get(nodeOf(call, parts).uuid)
  app.get('/v1/nodes/:node/bios', (call) => {
    servedSince(call, BIOS_SINCE)
    const names = asked(call, { known: REGISTRY, plain: PLAIN, since: REGISTRY_SINCE })
    const node = call.req.param('node')
    return call.json({
      bios: (read(call)?.bios ?? []).map((setting) => ({
        ...only(setting, names),
        links: settingLinks(call, node, setting.name),
      })),
    })
  })
  app.get('/v1/nodes/:node/bios/:setting', (call) => {
    servedSince(call, BIOS_SINCE)
    readQuery(call, {})
    const { uuid } = nodeOf(call, parts)
    const name = call.req.param('setting')
    const setting = read(call)?.bios.find((each) => each.name === name)
    if (!setting) throw new NotFound(`Node ${uuid} doesn't have a BIOS setting '${name.slice(0, 255)}'`)
    const names = [...TIMES, ...(call.get('minor') >= REGISTRY_SINCE ? REGISTRY : PLAIN)]
    return call.json({ [name]: { ...only(setting, names), links: settingLinks(call, uuid, name) } })
  })
  app.get('/v1/nodes/:node/firmware', (call) => {
    servedSince(call, FIRMWARE_SINCE)
    const known = call.get('minor') >= IDENTITY_SINCE ? [...VERSIONS, ...IDENTITY] : VERSIONS
    const names = asked(call, { known, plain: known, since: FIRMWARE_SINCE })
    return call.json({ firmware: (read(call)?.firmware ?? []).map((component) => only(component, names)) })
  })
}

type Names = { known: readonly string[]; plain: readonly string[]; since: number }

/** @throws InvalidParameterValue, NotAcceptable (`detail` and `fields` are of a later version) */
function asked(call: Call, { known, plain, since }: Names): readonly string[] {
  const { fields, detail } = readQuery(call, { fields: { schema: commaList, since }, detail: { schema: flag, since } })
  if (fields && detail) {
    throw new InvalidParameterValue('Can not specify ?detail=True and fields in the same request.')
  }
  const wrong = fields?.filter((name) => !known.includes(name)) ?? []
  if (wrong.length > 0) throw new InvalidParameterValue(`Field(s) "${wrong.join(', ')}" are not valid`)
  return fields ?? [...TIMES, ...(detail ? known : plain)]
}

const only = (given: object, names: readonly string[]): Json =>
  Object.fromEntries(names.map((name) => [name, (given as Json)[name] ?? null]))

const settingLinks = (call: Call, node: string, name: string) =>
  links(call.get('base'), `nodes/${encodeURIComponent(node)}/bios/${encodeURIComponent(name)}`)
