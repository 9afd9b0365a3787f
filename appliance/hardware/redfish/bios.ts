/**
 * BIOS settings: told with what the attribute registry says of each, changed for the next boot, and looked at after it.
 * @source Ironic drivers/modules/redfish/bios.py; sushy resources/system/bios.py, resources/settings.py
 */
import { isObject } from '@appliance/ground/json'
import { InvalidParameterValue, UnsupportedDriverExtension } from '../../errors.ts'
import type { Json } from '../../plugin-api/index.ts'
import type { BiosSetting } from '../../plugin-api/interfaces.ts'
import { actionOf, type Bmc } from './bmc.ts'
import type { Resource } from './client.ts'
import { RedfishFailure } from './failure.ts'
import { linkAt, listAt, memberAt, numberAt, tableAt, textAt, textsAt } from './members.ts'

const RESET = '#Bios.ResetBios'
const SETTINGS_LIMIT = 1_000
const TYPES = ['Enumeration', 'String', 'Integer', 'Boolean', 'Password'] as const

async function biosOf(bmc: Bmc): Promise<Resource> {
  const link = linkAt((await bmc.system()).body, 'Bios')
  if (link === undefined) throw new UnsupportedDriverExtension(bmc.node.driver, 'bios')
  return bmc.get(link)
}

/** None where the machine has no such resource. */
export async function readBios(bmc: Bmc): Promise<readonly BiosSetting[]> {
  const bios = await biosOf(bmc)
  const registry = await registryOf(bmc, bios)
  return Object.entries(tableAt(bios.body, 'Attributes')).map(([name, value]) => ({
    name,
    value: value === null ? null : typeof value === 'object' ? JSON.stringify(value) : String(value),
    ...describedBy(registry.get(name)),
  }))
}

type Entry = Omit<BiosSetting, 'name' | 'value'>

function describedBy(entry: unknown): Entry {
  if (entry === undefined) return {}
  const type = textAt(entry, 'Type')
  const flag = (name: string) => {
    const found = memberAt(entry, name)
    return typeof found === 'boolean' ? found : null
  }
  const values = listAt(entry, 'Value').map((each) => textAt(each, 'ValueName') ?? textAt(each, 'ValueDisplayName'))
  return {
    attribute_type: TYPES.find((each) => each === type) ?? null,
    allowable_values: values.filter((each) => each !== undefined),
    lower_bound: numberAt(entry, 'LowerBound') ?? null,
    upper_bound: numberAt(entry, 'UpperBound') ?? null,
    min_length: numberAt(entry, 'MinLength') ?? null,
    max_length: numberAt(entry, 'MaxLength') ?? null,
    read_only: flag('ReadOnly'),
    reset_required: flag('ResetRequired'),
    unique: flag('IsUnique') ?? flag('Unique'),
  }
}

/** By attribute. Empty where the BMC has none, or none that can be read: values are told without it. */
async function registryOf(bmc: Bmc, bios: Resource): Promise<ReadonlyMap<string, unknown>> {
  try {
    const name = textAt(bios.body, 'AttributeRegistry')
    const link = name === undefined ? undefined : await registryFile(bmc, name)
    const body = link === undefined ? undefined : (await bmc.get(link)).body
    const entries = listAt(body, 'RegistryEntries', 'Attributes')
    return new Map(entries.map((entry) => [textAt(entry, 'AttributeName') ?? '', entry]))
  } catch (error) {
    if (!(error instanceof RedfishFailure) || error.status === undefined) throw error
    bmc.log.debug('the registry of BIOS attributes cannot be read', { node: bmc.node.uuid, reason: error.message })
    return new Map()
  }
}

/** In English, or in the first language that it is in. */
async function registryFile(bmc: Bmc, name: string): Promise<string | undefined> {
  const root = await bmc.root()
  const registries = linkAt(root.body, 'Registries') ?? `${root.path}Registries`
  const found = (await bmc.members(registries)).find((path) => lastOf(path).toLowerCase() === name.toLowerCase())
  if (found === undefined) return undefined
  const { body } = await bmc.get(found)
  const files = listAt(body, 'Location')
  const english = files.find((file) => textAt(file, 'Language')?.startsWith('en')) ?? files[0]
  return linkAt(english, 'Uri')
}

const lastOf = (path: string) => path.replace(/\/$/, '').split('/').at(-1) ?? ''

/** For the next boot. @returns what was asked for; empty: all of it is so already */
export async function changeBios(bmc: Bmc, settings: unknown): Promise<Json> {
  const bios = await biosOf(bmc)
  const registry = await registryOf(bmc, bios)
  const wanted = wantedIn(bmc, settings, registry)
  const now = tableAt(bios.body, 'Attributes')
  const pending = await pendingOf(bmc, bios)
  const isSo = Object.entries(wanted).every(
    ([name, value]) => now[name] === value && (pending.attributes[name] ?? value) === value,
  )
  if (isSo) return {}
  const times = textsAt(bios.body, '@Redfish.Settings', 'SupportedApplyTimes')
  const apply = times.includes('OnReset') ? { '@Redfish.SettingsApplyTime': { ApplyTime: 'OnReset' } } : {}
  await bmc.patch(pending.resource, { Attributes: wanted, ...apply })
  return wanted
}

async function pendingOf(bmc: Bmc, bios: Resource): Promise<{ resource: Resource; attributes: Json }> {
  const link = linkAt(bios.body, '@Redfish.Settings', 'SettingsObject')
  if (link === undefined) return { resource: bios, attributes: {} }
  const resource = await bmc.get(link)
  return { resource, attributes: tableAt(resource.body, 'Attributes') }
}

/** With the types that Redfish wants; texts are what a client gives. @throws InvalidParameterValue */
function wantedIn(bmc: Bmc, settings: unknown, registry: ReadonlyMap<string, unknown>): Json {
  const list = Array.isArray(settings) ? settings : []
  const isRight = list.every((item) => isObject(item) && typeof item.name === 'string' && 'value' in item)
  if (!isRight || list.length === 0 || list.length > SETTINGS_LIMIT) {
    throw new InvalidParameterValue(
      `settings of bios.apply_configuration is ${JSON.stringify(settings)?.slice(0, 200)}: expected a list of {name, value}.`,
    )
  }
  const wrong: string[] = []
  const wanted = list.map(({ name, value }): [string, unknown] => {
    const typed = typedValue(value, describedBy(registry.get(name)))
    if (typed === undefined) wrong.push(name)
    return [name, typed]
  })
  if (wrong.length === 0) return Object.fromEntries(wanted)
  throw new InvalidParameterValue(
    `Redfish BIOS apply_configuration failed for node ${bmc.node.uuid}: invalid value for setting(s): ${wrong.join(', ')}`,
  )
}

/** undefined: the registry does not allow it. */
function typedValue(value: unknown, entry: Entry): unknown {
  if (entry.read_only) return undefined
  if (entry.attribute_type === 'Integer') {
    const number = Number(value)
    const isIn = number >= (entry.lower_bound ?? number) && number <= (entry.upper_bound ?? number)
    return Number.isInteger(number) && isIn ? number : undefined
  }
  if (entry.attribute_type === 'Boolean') return typeof value === 'string' ? value.toLowerCase() === 'true' : value
  if (entry.attribute_type === 'Enumeration' && entry.allowable_values?.length) {
    return entry.allowable_values.includes(String(value)) ? value : undefined
  }
  if (entry.attribute_type === 'String') {
    const { length } = String(value)
    return length >= (entry.min_length ?? 0) && length <= (entry.max_length ?? length) ? value : undefined
  }
  return value
}

/** After the boot: what of it is not so. Some BMCs tell of it for a moment as before. */
export async function unappliedOf(bmc: Bmc, wanted: Json): Promise<readonly string[]> {
  const { body } = await biosOf(bmc)
  const now = tableAt(body, 'Attributes')
  return Object.keys(wanted).filter((name) => now[name] !== wanted[name])
}

export async function resetBios(bmc: Bmc): Promise<void> {
  const bios = await biosOf(bmc)
  const { target } = await actionOf(bmc, bios, { action: RESET })
  await bmc.post(target, {})
}
