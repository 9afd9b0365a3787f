/** The actions of rules, as Ironic has them. @source Ironic common/inspection_rules/actions.py */
import { hasMembers } from '@appliance/ground/exact-number'
import type { Json } from '../../plugin-api/index.ts'
import type { Arguments, Signature } from './conditions.ts'
import type { Edit, Effect, Target } from './effects.ts'
import { pythonText } from './python-format.ts'

/** The node as its rules see it. */
export type Seen = { node: Json; ports: readonly string[] }
export type Action = Signature & { effect(args: Arguments, seen: Seen): Effect }

/** What a rule's `fail` says. */
export class RuleFailure extends Error {}

type Kind = 'set' | 'extend' | 'del'

/** @param leading  names of arguments before the path */
function editing(kind: Kind, leading: readonly string[], target: (args: Arguments, seen: Seen) => Target): Action {
  return {
    required: [...leading, 'path', ...(kind === 'del' ? [] : ['value'])],
    optional: kind === 'extend' ? ['unique'] : [],
    formatted: kind === 'del' ? [] : ['value'],
    effect: (args, seen) => ({ ...target(args, seen), edit: editOf(kind, pathOf(args.path), args) }),
  }
}

function editOf(kind: Kind, path: readonly string[], { value, unique }: Arguments): Edit {
  if (kind === 'del') return { op: 'delete', path }
  return kind === 'set' ? { op: 'set', path, value } : { op: 'extend', path, value, unique: unique === true }
}

/** `properties/cpus`, `properties.cpus`, or its parts. */
function pathOf(path: unknown): string[] {
  if (Array.isArray(path) && path.length > 0) return path.map(String)
  if (typeof path !== 'string' || path === '') throw new Error(`'${pythonText(path).slice(0, 80)}' is no path`)
  return path.includes('/') ? path.replace(/^\/+|\/+$/g, '').split('/') : path.split('.')
}

const toNode = (): Target => ({ on: 'node' })
const toPluginData = (): Target => ({ on: 'plugin_data' })
function toPort({ port_id }: Arguments, { ports }: Seen): Target {
  const port = String(port_id)
  if (!ports.includes(port)) throw new Error(`Port ${port.slice(0, 80)} could not be found.`)
  return { on: 'port', port }
}

const LEVELS = { debug: 'debug', info: 'info', warning: 'warn', error: 'error', critical: 'error' } as const

export const ACTIONS: Readonly<Record<string, Action>> = {
  fail: {
    ...{ required: ['msg'], optional: [], formatted: [] },
    effect({ msg }) {
      throw new RuleFailure(pythonText(msg))
    },
  },
  log: {
    ...{ required: ['msg'], optional: ['level'], formatted: ['msg'] },
    effect({ msg, level = 'info' }) {
      const name = String(level).toLowerCase()
      if (!Object.hasOwn(LEVELS, name)) {
        throw new Error(`Invalid log level: ${name.slice(0, 80)}. Choose from ${Object.keys(LEVELS).join(', ')}`)
      }
      return { on: 'log', level: LEVELS[name as keyof typeof LEVELS], message: pythonText(msg) }
    },
  },
  'set-attribute': editing('set', [], toNode),
  'extend-attribute': editing('extend', [], toNode),
  'del-attribute': editing('del', [], toNode),
  'set-capability': {
    ...{ required: ['name', 'value'], optional: [], formatted: ['value'] },
    effect: ({ name, value }, seen) => capabilities(seen, String(name), pythonText(value)),
  },
  'unset-capability': {
    ...{ required: ['name'], optional: [], formatted: [] },
    effect: ({ name }, seen) => capabilities(seen, String(name)),
  },
  'add-trait': {
    ...{ required: ['name'], optional: [], formatted: [] },
    effect: ({ name }, { node }) => traits([...traitsOf(node).filter((trait) => trait !== name), String(name)]),
  },
  'remove-trait': {
    ...{ required: ['name'], optional: [], formatted: [] },
    effect: ({ name }, { node }) => traits(traitsOf(node).filter((trait) => trait !== name)),
  },
  'set-plugin-data': editing('set', [], toPluginData),
  'extend-plugin-data': editing('extend', [], toPluginData),
  'unset-plugin-data': editing('del', [], toPluginData),
  'set-port-attribute': editing('set', ['port_id'], toPort),
  'extend-port-attribute': editing('extend', ['port_id'], toPort),
  'del-port-attribute': editing('del', ['port_id'], toPort),
}

const traitsOf = ({ traits: given }: Json) => (given ?? []) as readonly string[]
const traits = (value: readonly string[]): Effect => ({ on: 'node', edit: { op: 'set', path: ['traits'], value } })

/** `a:1,b:2`, in which one is set, or taken away. */
function capabilities({ node }: Seen, name: string, value?: string): Effect {
  const { properties } = node
  const given = hasMembers(properties) ? (properties as Json).capabilities : undefined
  const before = typeof given === 'string' ? given.split(',').filter((item) => item.trim() !== '') : []
  const others = before.filter((item) => item.split(':', 1)[0]?.trim() !== name)
  const after = value === undefined ? others : [...others, `${name}:${value}`]
  return { on: 'node', edit: { op: 'set', path: ['properties', 'capabilities'], value: after.join(',') } }
}
