/**
 * A plugin's options for one node: what the configuration says, overridden by the node's own fields where the option
 * allows it.
 */
import { readBoolean } from '@appliance/ground/booleans'
import { InvalidParameterValue } from '../../errors.ts'
import type { Option, Options, Values } from '../../plugin-api/index.ts'
import type { Node } from '../../records/kinds/node.ts'
import type { OfNode, Parts } from '../parts/parts.ts'

/** @throws InvalidParameterValue  a node's field that is not what the option takes */
export function optionsFor(
  parts: Pick<Parts, 'option_values'> & OfNode,
  node: Node,
  plugin: { name: string; options: Options },
): Values<Options> {
  const configured = (parts.code?.of(node.uuid) ?? parts).option_values(plugin.name)
  const entries = Object.entries(plugin.options).map(([name, option]): [string, unknown] => {
    const base = Object.hasOwn(configured, name) ? configured[name] : option.default
    const named = option.perNodeName ?? name
    const field = option.perNode?.findLast((key) => node[key][named] !== undefined && node[key][named] !== null)
    return [
      name,
      field === undefined ? base : readValue(option, node[field][named], `${field}/${named} of node ${node.uuid}`),
    ]
  })
  return Object.freeze(Object.fromEntries(entries)) as Values<Options>
}

function readValue(option: Option, value: unknown, where: string): unknown {
  if (option.type === 'boolean') {
    const read = readBoolean(value)
    if (read !== undefined) return read
    throw wrong(where, value, 'true or false')
  }
  const text = String(value).trim()
  if (option.type === 'integer') return readInteger(option, text, where)
  if (option.type === 'list') {
    return Array.isArray(value)
      ? value.map(String)
      : text
          .split(',')
          .map((item) => item.trim())
          .filter(Boolean)
  }
  if (option.choices && !option.choices.includes(text)) throw wrong(where, value, `one of ${option.choices.join(', ')}`)
  return text
}

function readInteger(option: Extract<Option, { type: 'integer' }>, text: string, where: string): number {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = option
  const number = Number(text)
  if (/^-?\d+$/.test(text) && number >= min && number <= max) return number
  const range = [
    option.min === undefined ? '' : ` from ${option.min}`,
    option.max === undefined ? '' : ` up to ${option.max}`,
  ]
  throw wrong(where, text, `a whole number${range.join('')}`)
}

const wrong = (where: string, value: unknown, wanted: string) =>
  new InvalidParameterValue(`${where} is ${JSON.stringify(value)?.slice(0, 100)}: expected ${wanted}.`)
