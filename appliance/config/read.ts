/** From the entries of a file to the values of option tables. All problems are found at once; nothing is guessed. */
import { ApplianceError } from '../errors.ts'
import type { Option, Options } from '../plugin-api/index.ts'
import { type Ini, type IniEntry, parseIni } from './ini.ts'
import { nearest } from './nearest.ts'
import { type Config, SECTIONS } from './options.ts'
import { parseValue, type Value } from './values.ts'

/** The configuration cannot be used; each line says where, what was found and what was expected. */
export class ConfigInvalid extends ApplianceError {}

export type ConfigFile = { path: string; ini: Ini }
/** What this box says of itself where the file is silent. */
export type BoxDefaults = { host: string; my_ip(dhcpInterface: string | undefined): string }
type Values = Record<string, Value | undefined>

export const readConfigFile = (path: string, text: string): ConfigFile => ({ path, ini: parseIni(text) })
/** For a box that has none. */
export const NO_FILE: ConfigFile = { path: '(no file)', ini: { entries: [], problems: [] } }

/** The appliance's own options. @throws ConfigInvalid */
export function readConfig(file: ConfigFile, box: BoxDefaults): Config {
  const problems = file.ini.problems.map(({ line, text }) => `${file.path}:${line}: ${text}`)
  const sections: Record<string, Values> = {}
  for (const [name, table] of Object.entries(SECTIONS)) sections[name] = readTable(file, table, problems)
  const { DEFAULT = {}, dhcp = {} } = sections
  DEFAULT.host ||= box.host
  DEFAULT.my_ip ||= box.my_ip(dhcp.interface as string | undefined)
  for (const values of Object.values(sections)) substituteAll(values, DEFAULT)
  refuse(problems)
  return sections as unknown as Config
}

/** Options that are not the appliance's own, such as a plugin's. @throws ConfigInvalid */
export function readOptions(
  file: ConfigFile,
  table: Options,
  config: Config,
): Readonly<Record<string, Value | undefined>> {
  const problems: string[] = []
  const values = readTable(file, table, problems)
  substituteAll(values, config.DEFAULT)
  refuse(problems)
  return values
}

/** A section of its own for each name: `table` stands for [PREFIX:NAME], the section that its options have. @throws ConfigInvalid */
export function readNamedSections(file: ConfigFile, table: Options, config: Config): readonly NamedSection[] {
  const problems: string[] = []
  const family = Object.values(table)[0]?.section ?? ''
  const found = [...new Set(file.ini.entries.map(({ section }) => section))].filter(
    (section) => familyOf(section, [family]) === family,
  )
  const sections = found.map((section) => {
    const options = Object.fromEntries(Object.entries(table).map(([name, option]) => [name, { ...option, section }]))
    const values = readTable(file, options, problems)
    substituteAll(values, config.DEFAULT)
    return { name: section.slice(section.indexOf(':') + 1), options, values }
  })
  refuse(problems)
  return sections
}
export type NamedSection = { name: string; options: Options; values: Readonly<Record<string, Value | undefined>> }

/** What stands in a table for all sections of a kind, as upstream:NAME for upstream:quay.io. */
const FAMILY = /^(.+:)NAME$/

/** The family among these that a section belongs to, else the section itself. */
function familyOf(section: string, among: Iterable<string>): string {
  for (const family of among) {
    const prefix = FAMILY.exec(family)?.[1]
    if (prefix !== undefined && section.startsWith(prefix) && section.length > prefix.length) return family
  }
  return section
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new ConfigInvalid(problems.join('\n'))
}

function readTable(file: ConfigFile, table: Options, problems: string[]): Values {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, readOption(file, name, option, problems)]),
  )
}

function readOption({ path, ini }: ConfigFile, name: string, option: Option, problems: string[]): Value | undefined {
  const entry = ini.entries.findLast((found) => found.section === option.section && found.name === name)
  // Nothing after the sign is "not set", as in the sample file.
  if (!entry || (entry.value === '' && option.type !== 'list')) return option.default
  const parsed = parseValue(option, entry.value)
  if ('value' in parsed) return parsed.value
  problems.push(`${path}:${entry.line}: [${option.section}] ${name}: ${parsed.problem}`)
  return option.default
}

/** `$name` and `${name}` stand for an option of the same section, else of [DEFAULT]; `$$` for a dollar sign. @source oslo.config */
function substituteAll(values: Values, defaults: Readonly<Values>): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string') values[name] = substitute(value, values, defaults)
    else if (Array.isArray(value)) values[name] = value.map((item) => substitute(item, values, defaults))
  }
}

const NESTING_LIMIT = 8

function substitute(text: string, values: Values, defaults: Readonly<Values>, depth = 0): string {
  return text.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, bare, braced) => {
    if (whole === '$$') return '$'
    const value = values[bare ?? braced] ?? defaults[bare ?? braced]
    if (value === undefined || depth === NESTING_LIMIT) return whole
    return substitute(String(value), values, defaults, depth + 1)
  })
}

/** Names that no table has, each with the nearest one that is known; and options that are given twice. */
export function warningsOf({ path, ini }: ConfigFile, tables: readonly Options[]): string[] {
  const known = new Map<string, Set<string>>()
  for (const [name, { section }] of tables.flatMap((table) => Object.entries(table))) {
    known.set(section, (known.get(section) ?? new Set()).add(name))
  }
  const seen = new Map<string, IniEntry>()
  return ini.entries.flatMap((entry) => {
    const { section, name, line } = entry
    const before = seen.get(`${section}/${name}`)
    seen.set(`${section}/${name}`, entry)
    const where = `${path}:${line}: [${section}] ${name}`
    if (before) return [`${where} was given in line ${before.line} already: the last one holds`]
    const family = familyOf(section, known.keys())
    if (known.get(family)?.has(name)) return []
    return [`${where} is not known and has no effect${hint(known, family, name)}`]
  })
}

function hint(known: ReadonlyMap<string, ReadonlySet<string>>, section: string, name: string): string {
  const elsewhere = [...known].filter(([, names]) => names.has(name)).map(([other]) => other)
  if (elsewhere.length > 0) return `: it belongs under [${elsewhere.join('] or [')}]`
  const names = known.get(section)
  if (!names) {
    const other = nearest(section, [...known.keys()])
    return `: there is no section [${section}]${other ? `; did you mean [${other}]?` : ''}`
  }
  const other = nearest(name, [...names])
  return other ? `: did you mean ${other}?` : ''
}
