/** /v1/drivers: the hardware types of this appliance, and what their nodes may have. */
import type { Driver } from '../../conductor/conductor.ts'
import { InvalidParameterValue, NotFound } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import { INTERFACE_TYPES } from '../../records/kinds/node.ts'
import { requireMinor } from '../microversions.ts'
import type { ApiParts, App, Call } from '../parts.ts'
import { links } from '../present.ts'
import { readQuery } from '../query.ts'
import { commaList, flag, text } from '../schema.ts'
import { interfaceField, NODE_FIELDS } from './node/fields.ts'
import { only } from './only.ts'

/** Interfaces that came after dynamic drivers did are left out below their version. */
const interfacesServed = (minor: number) =>
  INTERFACE_TYPES.filter((type) => type === 'network' || minor >= (NODE_FIELDS[interfaceField(type)]?.since ?? 0))

export function addDrivers(app: App, { conductor }: ApiParts): void {
  app.get('/v1/drivers', (call) => {
    const minor = call.get('minor')
    const query = readQuery(call, {
      type: { schema: text, since: 30 },
      detail: { schema: flag, since: 30 },
      fields: { schema: commaList, since: 77 },
    })
    if (query.type !== undefined && query.type !== 'dynamic' && query.type !== 'classic') {
      throw new InvalidParameterValue('"type" filter must be one of "classic" or "dynamic", if specified.')
    }
    if (query.fields && query.detail) {
      throw new InvalidParameterValue('Can not specify ?detail=True and fields in the same request.')
    }
    const drivers = query.type === 'classic' ? [] : conductor.drivers()
    const isDetailed = minor >= 30 && (query.detail === true || query.fields !== undefined)
    return call.json({ drivers: drivers.map((driver) => only(shownDriver(call, driver, isDetailed), query.fields)) })
  })
  app.get('/v1/drivers/:driver', (call) => {
    const { fields } = readQuery(call, { fields: { schema: commaList, since: 77 } })
    return call.json(only(shownDriver(call, driverOf(call, conductor), true), fields))
  })
  app.get('/v1/drivers/:driver/properties', (call) => call.json({ ...driverOf(call, conductor).properties }))
  app.get('/v1/drivers/:driver/raid/logical_disk_properties', (call) => {
    requireMinor(call.get('minor'), 12)
    return call.json(conductor.raid.logicalDiskProperties(driverOf(call, conductor).name))
  })
}

function driverOf(call: Call, { drivers }: ApiParts['conductor']): Driver {
  const name = call.req.param('driver') ?? ''
  const driver = drivers().find((each) => each.name === name)
  if (driver) return driver
  throw new NotFound(
    `Could not find the following driver(s) or hardware type(s): ${name.slice(0, 255)}. ` +
      `Enabled ones: ${
        drivers()
          .map((each) => each.name)
          .join(', ') || 'none'
      }.`,
  )
}

function shownDriver(call: Call, { name, hosts, interfaces }: Driver, isDetailed: boolean): Json {
  const minor = call.get('minor')
  const base = call.get('base')
  const detail = interfacesServed(minor).flatMap((type) => {
    const enabled = interfaces[type] ?? []
    return [
      [`default_${type}_interface`, enabled[0] ?? null],
      [`enabled_${type}_interfaces`, enabled],
    ] as const
  })
  return {
    name,
    hosts,
    links: links(base, `drivers/${name}`),
    ...(minor >= 14 ? { properties: links(base, `drivers/${name}/properties`) } : {}),
    ...(minor >= 30 ? { type: 'dynamic' } : {}),
    ...(minor >= 30 && isDetailed ? Object.fromEntries(detail) : {}),
  }
}
