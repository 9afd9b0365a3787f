/**
 * Replacement fields of rules, `{inventory[cpu][count]}`, as Python's str.format has them: names, members, items and
 * the conversions !s and !r. Format specifications are not there.
 */
import { hasMembers } from '@appliance/ground/exact-number'
import type { Json } from '../../plugin-api/index.ts'

/** What replacement fields are looked up in. Members of `attributes` are read by a dot, too. */
export type Context = { values: Json; attributes: ReadonlySet<string> }

/** A replacement field that leads nowhere. */
export class NoSuchField extends Error {
  /** The first name, or a key of a table, is not there; else the field is malformed or asks too much. */
  readonly isMissing: boolean

  constructor(message: string, isMissing = false) {
    super(message)
    this.isMissing = isMissing
  }
}

const PIECE = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g

/** @throws NoSuchField */
export function formatted(text: string, context: Context): string {
  return text.replace(PIECE, (piece, field?: string) => {
    if (piece === '{{' || piece === '}}') return piece.charAt(0)
    if (field === undefined) throw new NoSuchField(`a single '${piece}' in '${text.slice(0, 80)}'`)
    return fieldText(field, context)
  })
}

const FIELD = /^([^.[\]!:]+)((?:\.[^.[\]!:]+|\[[^\]]+\])*)(?:!([rs]))?$/

function fieldText(field: string, context: Context): string {
  const [, name, way = '', conversion] = FIELD.exec(field) ?? []
  if (name === undefined) throw new NoSuchField(`'${field.slice(0, 80)}' is no replacement field that rules have`)
  const { values, attributes } = context
  if (!Object.hasOwn(values, name)) throw new NoSuchField(`'${name}'`, true)
  let value = values[name]
  let mayHaveAttributes = attributes.has(name)
  for (const [step] of way.matchAll(/\.[^.[]+|\[[^\]]+\]/g)) {
    value = step.startsWith('.')
      ? attributeOf(value, step.slice(1), mayHaveAttributes)
      : itemOf(value, step.slice(1, -1))
    mayHaveAttributes = false
  }
  return conversion === 'r' ? pythonRepr(value) : pythonText(value)
}

function attributeOf(value: unknown, name: string, isAllowed: boolean): unknown {
  if (isAllowed && hasMembers(value) && Object.hasOwn(value, name)) return (value as Json)[name]
  throw new NoSuchField(`there is no attribute '${name}'`)
}

function itemOf(value: unknown, key: string): unknown {
  if (Array.isArray(value)) {
    if (/^\d{1,9}$/.test(key) && Number(key) < value.length) return value[Number(key)]
    throw new NoSuchField(`a list of ${value.length} has no item '${key.slice(0, 80)}'`)
  }
  if (!hasMembers(value)) throw new NoSuchField(`'${key.slice(0, 80)}' is looked for in what has no members`)
  if (Object.hasOwn(value, key)) return (value as Json)[key]
  throw new NoSuchField(`'${key.slice(0, 80)}'`, true)
}

/** As `str(value)` writes it. */
export const pythonText = (value: unknown): string => (typeof value === 'string' ? value : pythonRepr(value))

function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`
  if (hasMembers(value)) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${quoted(key)}: ${pythonRepr(item)}`)
      .join(', ')}}`
  }
  return String(value)
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character] ?? character)
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote
}
