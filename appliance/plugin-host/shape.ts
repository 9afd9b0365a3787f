/** What the object of a plugin must be, told in sentences. Runs none of its functions. */
import { isObject } from '@appliance/ground/json'
import type { Option } from '../plugin-api/index.ts'
import { type Kind, problemsOfShape } from './kinds.ts'
import { ACCEPTED_API_VERSION } from './manifest.ts'

/**
 * What is wrong with a default export, in sentences; the compiler checked our own plugins, nobody checked a
 * stranger's.
 */
export function problemsOf(exported: unknown, name: string, kind: Kind = 'deploy'): string[] {
  if (exported === null || typeof exported !== 'object') {
    return [`its default export is ${exported === null ? 'null' : typeof exported}, and the plugin object is expected`]
  }
  const plugin = exported as Record<string, unknown>
  return [
    ...(plugin.apiVersion === ACCEPTED_API_VERSION
      ? []
      : [`apiVersion is ${JSON.stringify(plugin.apiVersion)}, and "${ACCEPTED_API_VERSION}" is accepted`]),
    ...(plugin.name === name ? [] : [`name is ${JSON.stringify(plugin.name)}, and its manifest says "${name}"`]),
    ...problemsOfShape(plugin, kind),
    ...problemsOfOptions(plugin.options),
    ...problemsOfProperties(plugin.properties),
    ...problemsOfBoundSecrets(plugin.boundSecrets),
    ...problemsOfLayers(plugin.ramdiskLayers),
  ]
}

function problemsOfOptions(options: unknown): string[] {
  if (options === null || typeof options !== 'object')
    return ['options is missing, and a table is expected (it may be empty)']
  return Object.entries(options).flatMap(([name, value]) =>
    problemOfOption(value).map((text) => `option ${name} ${text}`),
  )
}

const DEFAULT_TYPES: ReadonlyMap<unknown, (value: unknown) => boolean> = new Map<
  Option['type'],
  (value: unknown) => boolean
>([
  ['string', (value) => typeof value === 'string'],
  ['integer', Number.isInteger],
  ['boolean', (value) => typeof value === 'boolean'],
  ['list', (value) => Array.isArray(value) && value.every((item) => typeof item === 'string')],
])

function problemOfOption(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return ['is not an object']
  const option = value as Record<string, unknown>
  const isDefault = DEFAULT_TYPES.get(option.type)
  if (!isDefault)
    return [
      `has the type ${JSON.stringify(option.type)}, and one of ${[...DEFAULT_TYPES.keys()].join(', ')} is expected`,
    ]
  if (typeof option.section !== 'string' || option.section === '') return ['names no section']
  if (typeof option.help !== 'string' || option.help === '') return ['has no help text']
  if (option.default !== undefined && !isDefault(option.default))
    return [`has a default that is not of type ${option.type}`]
  return []
}

function problemsOfProperties(properties: unknown): string[] {
  if (properties === undefined) return []
  return isObject(properties) && Object.values(properties).every((text) => typeof text === 'string')
    ? []
    : ['properties is not a table of names and texts']
}

function problemsOfBoundSecrets(bound: unknown): string[] {
  const arePaths = (list: unknown) =>
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((path) => typeof path === 'string' && /^(driver_info|instance_info)\/./.test(path))
  const isBinding = (one: unknown) =>
    isObject(one) &&
    arePaths(one.secrets) &&
    arePaths(one.address) &&
    (one.defaults === undefined || isObject(one.defaults))
  return bound === undefined || (Array.isArray(bound) && bound.every(isBinding))
    ? []
    : ['boundSecrets is not a list of { secrets, address }, lists of paths such as driver_info/ipmi_password']
}

function problemsOfLayers(layers: unknown): string[] {
  if (layers === undefined || typeof layers === 'function') return []
  return Array.isArray(layers) && layers.every((layer) => typeof layer === 'string' && /^[a-z0-9-]+$/.test(layer))
    ? []
    : ['ramdiskLayers is not a list of layer names']
}
