/**
 * Finds what a configuration file sets and this appliance does not read: options of Ironic, as one summary, and
 * unknown names.
 */
import type { Options } from '../plugin-api/index.ts'
import type { IniEntry } from './ini.ts'
import { ironicSectionsWith, isFormerName, isIronics, noMeaning } from './ironic.ts'
import { nearest } from './nearest.ts'
import { type ConfigFile, familyOf } from './read.ts'

/** The summary of a file with options of Ironic that are not read here. */
export type IronicSummary = {
  path: string
  /** The number of options of the file that are read. */
  works: number
  noMeaning: ReadonlyMap<string, readonly IniEntry[]>
  notBuilt: readonly IniEntry[]
}

type Known = ReadonlyMap<string, ReadonlySet<string>>

function knownOf(tables: readonly Options[]): Known {
  const known = new Map<string, Set<string>>()
  for (const [name, { section }] of tables.flatMap((table) => Object.entries(table))) {
    known.set(section, (known.get(section) ?? new Set()).add(name))
  }
  return known
}

const isKnown = (known: Known, { section, name }: IniEntry) =>
  known.get(familyOf(section, known.keys()))?.has(name) || isFormerName(section, name)

/** Warns of names that neither a table nor Ironic has, each with a suggestion, and of options that are given twice. */
export function warningsOf({ path, ini }: ConfigFile, tables: readonly Options[]): string[] {
  const known = knownOf(tables)
  const seen = new Map<string, IniEntry>()
  return ini.entries.flatMap((entry) => {
    const { section, name, line } = entry
    const before = seen.get(`${section}/${name}`)
    seen.set(`${section}/${name}`, entry)
    const where = `${path}:${line}: [${section}] ${name}`
    if (noMeaning(section, name) !== undefined) return []
    const isOurs = isKnown(known, entry)
    if (before && isOurs) return [`${where} was given in line ${before.line} already: the last one holds`]
    if (isOurs || isIronics(section, name)) return []
    return [`${where} is not known and has no effect${hint(known, section, name)}`]
  })
}

/** @returns undefined  nothing in the file is Ironic's alone */
export function ironicSummaryOf({ path, ini }: ConfigFile, tables: readonly Options[]): IronicSummary | undefined {
  const known = knownOf(tables)
  const without = new Map<string, IniEntry[]>()
  const notBuilt: IniEntry[] = []
  let works = 0
  for (const entry of ini.entries) {
    const why = noMeaning(entry.section, entry.name)
    if (isKnown(known, entry)) works++
    else if (why !== undefined) without.set(why, [...(without.get(why) ?? []), entry])
    else if (isIronics(entry.section, entry.name)) notBuilt.push(entry)
  }
  return without.size + notBuilt.length === 0 ? undefined : { path, works, noMeaning: without, notBuilt }
}

const countOf = (summary: IronicSummary) => [...summary.noMeaning.values()].flat().length
const verb = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`
const options = (count: number) => (count === 1 ? '1 option' : `${count} options`)

/** The summary in one sentence, for a log. */
export function summarySentence(summary: IronicSummary): string {
  const { path, works, notBuilt } = summary
  return `${path} holds options of Ironic: ${options(works)} ${works === 1 ? 'works' : 'work'} here, ${verb(countOf(summary), 'has', 'have')} no meaning on one box, ${verb(notBuilt.length, 'is', 'are')} not built here yet and without effect`
}

/** The sentence, then each option with its line. */
export function renderSummary(summary: IronicSummary): string {
  const groups = [...summary.noMeaning].map(([why, entries]) => `  No meaning on one box: ${why}.\n${listOf(entries)}`)
  const notBuilt = summary.notBuilt.length === 0 ? [] : [`  Not built here yet.\n${listOf(summary.notBuilt)}`]
  return `${summarySentence(summary)}:\n${[...groups, ...notBuilt].join('')}`
}

function listOf(entries: readonly IniEntry[]): string {
  const sections = Map.groupBy(entries, ({ section }) => section)
  return [...sections]
    .map(([section, its]) => `    [${section}] ${its.map(({ name, line }) => `${name} (line ${line})`).join(', ')}\n`)
    .join('')
}

/** Suggests only an option that does the same: a name such as `enabled` says nothing without its section. */
function hint(known: Known, section: string, name: string): string {
  const family = familyOf(section, known.keys())
  const own = known.get(family)
  const near = nearest(name, [...(own ?? [])])
  if (own && near !== undefined) return `: did you mean ${near}?`
  const meant = sectionMeant(known, section)
  if (!own && meant !== undefined && known.get(meant)?.has(name) && meant.endsWith(':NAME')) {
    return `: it belongs under [${meant}]`
  }
  const other = onlySectionWith(known, name)
  if (other !== undefined) return `: it stands in [${other}]`
  if (!own && ironicSectionsWith(name).length === 0 && meant !== undefined)
    return `: there is no section [${section}]; did you mean [${meant}]?`
  if (!own) return `: there is no section [${section}]`
  const further = nearElsewhere(known, name)
  return further === undefined ? '' : `: did you mean [${further.section}] ${further.name}?`
}

/** The kind of a section: the word before the colon, where there is one. */
function sectionMeant(known: Known, section: string): string | undefined {
  const prefix = (name: string) => name.split(':')[0] ?? name
  const meant = nearest(prefix(section), [...known.keys()].map(prefix))
  return [...known.keys()].find((name) => prefix(name) === meant)
}

/** True for a name of several words or of [DEFAULT], unless a second section, of ours or Ironic's, has it. */
function onlySectionWith(known: Known, name: string): string | undefined {
  const ours = [...known].filter(([, names]) => names.has(name)).map(([section]) => section)
  const [only] = ours
  if (only === undefined || ours.length > 1) return undefined
  if (only === 'DEFAULT' && name !== 'host') return only
  const all = new Set([...ours, ...ironicSectionsWith(name)])
  return saysEnough(name) && all.size === 1 ? only : undefined
}

const LONG_NAME = 10
const saysEnough = (name: string) => name.includes('_') && name.length >= LONG_NAME

function nearElsewhere(known: Known, name: string): { section: string; name: string } | undefined {
  if (!saysEnough(name)) return undefined
  const names = [...known.values()].flatMap((own) => [...own]).filter(saysEnough)
  const near = nearest(name, names)
  const section = near === undefined ? undefined : onlySectionWith(known, near)
  return near === undefined || section === undefined ? undefined : { section, name: near }
}
