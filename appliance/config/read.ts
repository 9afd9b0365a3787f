/** Turns the entries of a file into the values of tables of options. Finds all problems at once; guesses nothing. */
import { ApplianceError } from '../errors.ts'
import type { Option, Options } from '../plugin-api/index.ts'
import { problemOfFormat } from './formats.ts'
import { type Ini, parseIni } from './ini.ts'
import { formerNamesOf } from './ironic.ts'
import { type Config, SECTIONS } from './options.ts'
import { type Lookup, substitute } from './substitute.ts'
import { parseValue, renderValue, type Value } from './values.ts'

/** The configuration cannot be used; each line says where, what was found and what was expected. */
export class ConfigInvalid extends ApplianceError {}

/** Read where it is there and none is named. */
export const DEFAULT_CONFIG_FILE = '/etc/rackstrap/rackstrap.conf'

export type ConfigFile = { path: string; ini: Ini }
/** The values of this box for options that the file does not set. */
export type BoxDefaults = { host: string; my_ip(dhcpInterface: string | undefined): string }
type Values = Record<string, Value | undefined>

export const readConfigFile = (path: string, text: string): ConfigFile => ({ path, ini: parseIni(text) })
/** Stands for the file of a box that has none. */
export const NO_FILE: ConfigFile = { path: '(no file)', ini: { entries: [], problems: [] } }

/** The appliance's own options. @param problems  takes them; left out: problems are thrown. @throws ConfigInvalid */
export function readConfig(file: ConfigFile, box: BoxDefaults, problems?: string[]): Config {
  const found = file.ini.problems.map(({ line, text }) => `${file.path}:${line}: ${text}`)
  const lookup = lookupIn(file, Object.values(SECTIONS))
  const ofBox: Lookup = (section, name) => {
    const given = lookup(section, name)
    if (section !== 'DEFAULT' || given) return given
    if (name === 'host') return box.host
    return name === 'my_ip' ? box.my_ip(lookup('dhcp', 'interface')) : given
  }
  const sections: Record<string, Values> = {}
  for (const [name, table] of Object.entries(SECTIONS))
    sections[name] = readTable({ file, lookup: ofBox, problems: found }, table)
  const { DEFAULT = {} } = sections
  DEFAULT.host ||= box.host
  DEFAULT.my_ip ||= ofBox('DEFAULT', 'my_ip')
  tell(found, problems)
  return sections as unknown as Config
}

/** Options that are not the appliance's own, such as a plugin's. @throws ConfigInvalid */
export function readOptions(
  file: ConfigFile,
  table: Options,
  config: Config,
  problems?: string[],
): Readonly<Record<string, Value | undefined>> {
  const found: string[] = []
  const values = readTable({ file, lookup: lookupWith(file, table, config), problems: found }, table)
  tell(found, problems)
  return values
}

/**
 * A section of its own for each name: `table` stands for [PREFIX:NAME], the section that its options have.
 * @throws ConfigInvalid
 */
export function readNamedSections(
  file: ConfigFile,
  table: Options,
  config: Config,
  problems?: string[],
): readonly NamedSection[] {
  const found: string[] = []
  const family = Object.values(table)[0]?.section ?? ''
  const names = [...new Set(file.ini.entries.map(({ section }) => section))].filter(
    (section) => familyOf(section, [family]) === family,
  )
  const sections = names.map((section) => {
    const options = Object.fromEntries(Object.entries(table).map(([name, option]) => [name, { ...option, section }]))
    const values = readTable({ file, lookup: lookupWith(file, options, config), problems: found }, options)
    return { name: section.slice(section.indexOf(':') + 1), options, values }
  })
  tell(found, problems)
  return sections
}
export type NamedSection = { name: string; options: Options; values: Readonly<Record<string, Value | undefined>> }

/** The section that stands in a table for all sections of a kind, as upstream:NAME for upstream:quay.io. */
const FAMILY = /^(.+:)NAME$/

/** The family among these that a section belongs to, else the section itself. */
export function familyOf(section: string, among: Iterable<string>): string {
  for (const family of among) {
    const prefix = FAMILY.exec(family)?.[1]
    if (prefix !== undefined && section.startsWith(prefix) && section.length > prefix.length) return family
  }
  return section
}

function tell(found: readonly string[], problems: string[] | undefined): void {
  if (problems) problems.push(...found)
  else if (found.length > 0) throw new ConfigInvalid(found.join('\n'))
}

/** The value of the file, else the default. An option that no table has counts as well, as $pybasedir does. */
function lookupIn({ ini }: ConfigFile, tables: readonly Options[]): Lookup {
  const options = new Map(
    tables.flatMap((table) => Object.entries(table)).map(([name, option]) => [`${option.section}/${name}`, option]),
  )
  return (section, name) => {
    const entry = ini.entries.findLast((found) => found.section === section && found.name === name)
    if (entry && entry.value !== '') return entry.value
    const option = options.get(`${section}/${name}`)
    return option?.default === undefined ? undefined : renderValue(option, option.default)
  }
}

/** The values of [DEFAULT], with those of the box where the file has none. */
function lookupWith(file: ConfigFile, table: Options, { DEFAULT }: Config): Lookup {
  const lookup = lookupIn(file, [...Object.values(SECTIONS), table])
  return (section, name) =>
    lookup(section, name) ||
    (section === 'DEFAULT' ? (DEFAULT as Readonly<Record<string, unknown>>)[name] : undefined)?.toString()
}

type Reading = { file: ConfigFile; lookup: Lookup; problems: string[] }

const readTable = (reading: Reading, table: Options): Values =>
  Object.fromEntries(Object.entries(table).map(([name, option]) => [name, readOption(reading, name, option)]))

function readOption({ file, lookup, problems }: Reading, name: string, option: Option): Value | undefined {
  const { section } = option
  const names = [name, ...formerNamesOf(section, name)]
  const entry = file.ini.entries.findLast((found) => found.section === section && names.includes(found.name))
  // An empty value means "not set", as in the sample file.
  const isSet = entry !== undefined && (entry.value !== '' || option.type === 'list')
  if (!isSet && option.default === undefined) return undefined
  const text = isSet ? entry.value : renderValue(option, option.default)
  const parsed = isSet || text.includes('$') ? parseValue(option, substitute(text, section, lookup)) : undefined
  const value = parsed && 'value' in parsed ? parsed.value : option.default
  const problem = parsed && 'problem' in parsed ? parsed.problem : problemOfFormat(option, value)
  if (problem !== undefined && isSet)
    problems.push(`${file.path}:${entry.line}: [${section}] ${entry.name}: ${problem}`)
  return value
}
