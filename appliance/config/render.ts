/** Renders the tables of options: the sample file, the docs, and the values that a box would use. */
import { isSecretKey, MASK } from '@appliance/ground/secret-words'
import type { Option, Options } from '../plugin-api/index.ts'
import { hasChoices, renderValue, type Value } from './values.ts'

type Row = { name: string; option: Option }

/** An option that a plugin reads as well as the appliance is one option. */
function bySection(tables: readonly Options[]): Map<string, Row[]> {
  const sections = new Map<string, Row[]>()
  for (const [name, option] of tables.flatMap((table) => Object.entries(table))) {
    const rows = sections.get(option.section) ?? []
    if (!rows.some((row) => row.name === name)) sections.set(option.section, [...rows, { name, option }])
  }
  return sections
}

/** A whole configuration file in which each option stands with its default, commented out. */
export function renderSample(tables: readonly Options[]): string {
  const sections = [...bySection(tables)].map(([section, rows]) => {
    const options = rows.map(({ name, option }) => {
      const value = renderValue(option, option.default)
      return `# ${option.help}\n${detailsOf(option)
        .map((line) => `# ${line}\n`)
        .join('')}#${name} =${value ? ` ${value}` : ''}\n`
    })
    return `[${section}]\n\n${options.join('\n')}`
  })
  return `# Rackstrap. Each option stands here with its default; take the # away to change it.\n\n${sections.join('\n')}`
}

function detailsOf(option: Option): string[] {
  return [
    ...(option.type === 'string' && option.choices ? [`One of: ${option.choices.join(', ')}.`] : []),
    ...(option.type === 'integer' ? [rangeOf(option)] : []),
    ...(option.perNode ? [`For one node: ${perNodeOf(option.perNode, option.perNodeName)}.`] : []),
  ].filter((line) => line !== '')
}

const perNodeOf = (fields: readonly string[], name: string | undefined) =>
  fields.map((field) => (name === undefined ? field : `${field}/${name}`)).join(', then ')

function rangeOf({ min, max, unit }: Extract<Option, { type: 'integer' }>): string {
  const range = [min === undefined ? '' : `at least ${min}`, max === undefined ? '' : `at most ${max}`]
  const parts = [unit ? `In ${unit}` : '', ...range].filter((part) => part !== '')
  return parts.length === 0 ? '' : `${upperFirst(parts.join(', '))}.`
}

const upperFirst = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** All options as Markdown tables. */
export function renderDocs(tables: readonly Options[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  return [...bySection(tables)]
    .map(([section, rows]) => {
      const lines = rows.map(({ name, option }) => {
        const meaning = [option.help, ...detailsOf(option)].join(' ')
        const value = renderValue(option, option.default)
        return `| \`${name}\` | ${option.type} | ${value ? `\`${cell(value)}\`` : ''} | ${cell(meaning)} |`
      })
      return `## [${section}]\n\n| option | type | default | meaning |\n|---|---|---|---|\n${lines.join('\n')}\n`
    })
    .join('\n')
}

/** The values that a box would use, as a configuration file; secrets are masked. */
export function renderValues(
  tables: readonly { options: Options; values: Readonly<Record<string, Value | undefined>> }[],
): string {
  const sections = new Map<string, string[]>()
  const shown = new Set<string>()
  for (const { options, values } of tables) {
    for (const [name, option] of Object.entries(options)) {
      const key = `${option.section}/${name}`
      if (shown.has(key)) continue
      shown.add(key)
      const value = renderValue(option, values[name]).replaceAll('\n', '\n  ')
      const isSecret = value !== '' && isSecretKey(name) && !hasChoices(option)
      const text = isSecret ? MASK : value
      sections.set(option.section, [...(sections.get(option.section) ?? []), `${name} = ${text}`.trimEnd()])
    }
  }
  return [...sections].map(([section, lines]) => `[${section}]\n${lines.join('\n')}\n`).join('\n')
}
