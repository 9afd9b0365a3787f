/** To whom a BMC sends its events. @source Ironic drivers/modules/redfish/vendor.py; sushy eventservice */
import { InvalidParameterValue, MissingParameterValue, NotFound } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { Bmc } from './bmc.ts'
import type { Resource } from './client.ts'
import { RedfishFailure } from './failure.ts'
import { linkAt, textsAt } from './members.ts'

const SHOWN = ['Id', 'Context', 'Protocol', 'Destination', 'EventTypes'] as const

async function serviceOf(bmc: Bmc): Promise<Resource> {
  const { body } = await bmc.root()
  const link = linkAt(body, 'EventService')
  if (link === undefined) throw bmc.failure('has no service of events (EventService).')
  return bmc.get(link)
}

async function collectionOf(bmc: Bmc): Promise<string> {
  const service = await serviceOf(bmc)
  const link = linkAt(service.body, 'Subscriptions')
  if (link === undefined) throw bmc.failure('keeps no subscriptions of events.')
  return link
}

const shown = (body: Json): Json =>
  Object.fromEntries(SHOWN.flatMap((name) => (name in body ? [[name, body[name]]] : [])))

/** @throws InvalidParameterValue, MissingParameterValue  before anything is done */
export async function subscribe(bmc: Bmc, args: Json): Promise<Json> {
  const payload = payloadIn(args)
  const service = await serviceOf(bmc)
  const allowed = textsAt(service.body, 'EventTypesForSubscription')
  const unknown = payload.EventTypes.filter((type) => allowed.length > 0 && !allowed.includes(type))
  if (args.EventTypes !== undefined && unknown.length > 0) {
    throw new InvalidParameterValue(
      `EventTypes ${unknown.join(', ')} is not a valid value, allowed values ${allowed.join(', ')}`,
    )
  }
  const link = linkAt(service.body, 'Subscriptions')
  if (link === undefined) throw bmc.failure('keeps no subscriptions of events.')
  const { body, location } = await bmc.post(link, payload)
  if (typeof body === 'object' && body !== null && 'Id' in body) return shown(body as Json)
  if (location === undefined) throw bmc.failure('made a subscription, and did not tell which.')
  return shown((await bmc.get(location)).body)
}

function payloadIn({ Destination, EventTypes = ['Alert'], Context = '', Protocol = 'Redfish', HttpHeaders }: Json) {
  if (Destination === undefined) throw new MissingParameterValue("Parameter 'Destination' is required.")
  if (typeof Destination !== 'string' || !URL.canParse(Destination)) {
    throw new InvalidParameterValue(`Destination ${String(Destination)} is not a valid URI`)
  }
  if (!Array.isArray(EventTypes) || !EventTypes.every((type) => typeof type === 'string')) {
    throw new InvalidParameterValue(`EventTypes ${JSON.stringify(EventTypes)} is not a list of texts`)
  }
  if (typeof Context !== 'string') throw new InvalidParameterValue('Context is not a valid string')
  if (typeof Protocol !== 'string') throw new InvalidParameterValue('Protocol is not a string')
  if (HttpHeaders !== undefined && !Array.isArray(HttpHeaders)) {
    throw new InvalidParameterValue('HttpHeaders is not a list of headers')
  }
  return { Destination, EventTypes: EventTypes as string[], Context, Protocol, ...(HttpHeaders && { HttpHeaders }) }
}

export async function subscriptions(bmc: Bmc): Promise<Json> {
  return (await bmc.get(await collectionOf(bmc))).body
}

async function memberOf(bmc: Bmc, { id }: Json): Promise<Resource> {
  if (id === undefined || id === '') throw new MissingParameterValue("id can't be None")
  const members = await bmc.members(await collectionOf(bmc))
  const found = members.find((path) => path.replace(/\/$/, '').split('/').at(-1) === String(id))
  if (found === undefined) throw new NotFound(`Subscription ${String(id)} of node ${bmc.node.uuid} could not be found.`)
  return bmc.get(found)
}

export const subscription = async (bmc: Bmc, args: Json): Promise<Json> => shown((await memberOf(bmc, args)).body)

export async function unsubscribe(bmc: Bmc, args: Json): Promise<void> {
  const { path } = await memberOf(bmc, args)
  try {
    await bmc.delete(path)
  } catch (error) {
    // Somebody else was first.
    if (!(error instanceof RedfishFailure) || error.status !== 404) throw error
  }
}
