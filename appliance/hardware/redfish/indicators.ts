/** Lights of the system, its chassis and drives. @source Ironic drivers/modules/redfish/management.py */

import { InvalidParameterValue } from '../../errors.ts'
import type { Indicator, IndicatorComponent, IndicatorState, Indicators } from '../../plugin-api/interfaces.ts'
import type { Bmc } from './bmc.ts'
import type { Resource } from './client.ts'
import { linksAt, memberAt, textAt } from './members.ts'
import { drivesOf, getAll } from './storage.ts'

const WORDS: Readonly<Record<string, IndicatorState>> = { Lit: 'on', Off: 'off', Blinking: 'blinking' }
const CHASSIS_LIMIT = 20

type Light = { component: IndicatorComponent; name: string; resource: Resource }

async function lightsOf(bmc: Bmc): Promise<readonly Light[]> {
  const system = await bmc.system()
  const chassis = linksAt(system.body, 'Links', 'Chassis').slice(0, CHASSIS_LIMIT)
  const found: readonly (readonly [IndicatorComponent, Resource])[] = [
    ['system', system],
    ...(await getAll(bmc, chassis)).map((one) => ['chassis', one] as const),
    ...(await drivesOf(bmc, system)).map((drive) => ['disk', drive] as const),
  ]
  return found
    .filter(([, { body }]) => stateOf(body) !== undefined)
    .map(([component, resource]) => ({ component, name: nameOf(resource), resource }))
}

const nameOf = ({ body, path }: Resource) => textAt(body, 'UUID') ?? textAt(body, 'Id') ?? path

/** In the older words, or in the newer ones, which know on and off alone. undefined: it has no light. */
function stateOf(body: unknown): IndicatorState | undefined {
  const word = textAt(body, 'IndicatorLED')
  if (word !== undefined) return WORDS[word] ?? 'unknown'
  const isActive = memberAt(body, 'LocationIndicatorActive')
  return typeof isActive === 'boolean' ? (isActive ? 'on' : 'off') : undefined
}

const indicatorOf = ({ resource: { body } }: Light): Indicator => ({
  readonly: false,
  states: textAt(body, 'IndicatorLED') === undefined ? ['off', 'on'] : ['blinking', 'off', 'on'],
})

export async function getIndicators(bmc: Bmc): Promise<Indicators> {
  const found: Partial<Record<IndicatorComponent, Record<string, Indicator>>> = {}
  for (const light of await lightsOf(bmc)) {
    found[light.component] = { ...found[light.component], [light.name]: indicatorOf(light) }
  }
  return found
}

async function lightAt(bmc: Bmc, component: IndicatorComponent, name: string): Promise<Light> {
  const found = (await lightsOf(bmc)).find((light) => light.component === component && light.name === name)
  if (found) return found
  throw new InvalidParameterValue(`Unknown indicator ${name} for component ${component} of node ${bmc.node.uuid}.`)
}

export async function getIndicatorState(bmc: Bmc, component: IndicatorComponent, name: string) {
  const { resource } = await lightAt(bmc, component, name)
  return stateOf(resource.body) ?? 'unknown'
}

export async function setIndicatorState(
  bmc: Bmc,
  { component, name }: { component: IndicatorComponent; name: string },
  state: IndicatorState,
): Promise<void> {
  const { resource } = await lightAt(bmc, component, name)
  const word = Object.keys(WORDS).find((each) => WORDS[each] === state)
  const isOld = textAt(resource.body, 'IndicatorLED') !== undefined
  await bmc.patch(resource, isOld ? { IndicatorLED: word } : { LocationIndicatorActive: state === 'on' })
}
