/** Versions of firmware, and their update by SimpleUpdate. @source Ironic drivers/modules/redfish/firmware.py */
import { isObject } from '@appliance/ground/json'
import { InvalidParameterValue } from '../../errors.ts'
import type { FirmwareComponent } from '../../plugin-api/interfaces.ts'
import { actionOf, type Bmc } from './bmc.ts'
import { RedfishFailure } from './failure.ts'
import { linkAt, linksAt, listAt, textAt } from './members.ts'
import { getAll } from './storage.ts'

const SIMPLE_UPDATE = '#UpdateService.SimpleUpdate'
const ADAPTERS_LIMIT = 50
const COMPONENT = /^(?:bios|bmc|nic:.+)$/

export async function readComponents(bmc: Bmc): Promise<readonly FirmwareComponent[]> {
  const system = await bmc.system()
  const bios = textAt(system.body, 'BiosVersion')
  const manager = await bmc.manager().catch(nothing)
  const version = textAt(manager?.body, 'FirmwareVersion')
  return [
    ...(bios === undefined ? [] : [{ component: 'bios', current_version: bios }]),
    ...(version === undefined ? [] : [{ component: 'bmc', current_version: version }]),
    ...(await cardsOf(bmc, linksAt(system.body, 'Links', 'Chassis')[0])),
  ]
}

async function cardsOf(bmc: Bmc, chassis: string | undefined): Promise<readonly FirmwareComponent[]> {
  if (chassis === undefined) return []
  const link = linkAt((await bmc.get(chassis).catch(nothing))?.body, 'NetworkAdapters')
  if (link === undefined) return []
  const members = await bmc.members(link).catch(nothing)
  const adapters = await getAll(bmc, (members ?? []).slice(0, ADAPTERS_LIMIT)).catch(nothing)
  return (adapters ?? []).flatMap(({ body }) => {
    const id = textAt(body, 'Id')
    const version = textAt(listAt(body, 'Controllers')[0], 'FirmwarePackageVersion')
    return id === undefined || version === undefined ? [] : [{ component: `nic:${id}`, current_version: version }]
  })
}

function nothing(error: unknown): undefined {
  if (error instanceof RedfishFailure && error.status !== undefined && error.status !== 401) return undefined
  throw error
}

type Update = { component: string; url: string }

/** @throws InvalidParameterValue */
export function updatesIn(given: unknown): readonly Update[] {
  const settings = Array.isArray(given) ? given : []
  const isRight = settings.every(
    (item) => isObject(item) && COMPONENT.test(String(item.component)) && /^https?:\/\//.test(String(item.url)),
  )
  if (isRight && settings.length > 0) return settings.map(({ component, url }) => ({ component, url }))
  throw new InvalidParameterValue(
    `settings of firmware.update is ${JSON.stringify(given)?.slice(0, 200)}: expected a list of {component, url}, with bios, bmc or nic:NAME, and an http(s) address that the BMC reaches.`,
  )
}

/** Resolves when the BMC says that it has taken it; a machine may have to be started anew for it to count. */
export async function update(bmc: Bmc, { url }: Update): Promise<void> {
  const link = linkAt((await bmc.root()).body, 'UpdateService')
  if (link === undefined) throw bmc.failure('updates no firmware: it has no UpdateService.')
  const service = await bmc.get(link)
  const { target } = await actionOf(bmc, service, { action: SIMPLE_UPDATE })
  const protocol = url.startsWith('https:') ? 'HTTPS' : 'HTTP'
  try {
    await bmc.post(target, { ImageURI: url, TransferProtocol: protocol })
  } catch (error) {
    // Some take the protocol from the address alone.
    if (!(error instanceof RedfishFailure) || error.status !== 400 || !error.message.includes('TransferProtocol'))
      throw error
    await bmc.post(target, { ImageURI: url })
  }
}
