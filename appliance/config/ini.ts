/**
 * Reads the ini grammar of Ironic's configuration files (oslo.config), which has no comments inside a value. Knows no
 * option.
 */

export type IniEntry = { section: string; name: string; value: string; line: number }
type IniProblem = { line: number; text: string }
/** The entries in the order of the file; an option that is given twice is there twice. */
export type Ini = { entries: readonly IniEntry[]; problems: readonly IniProblem[] }

const SECTION = /^\[([^\]]+)\]$/
const ASSIGNMENT = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/

/**
 * `[section]`, `name = value` or `name: value`; a line that begins with # or ; is a comment, one that begins with
 * white space goes on with the value before (its line break is kept). Quotes around a whole value are taken away.
 * @source oslo.config, iniparser.py
 */
export function parseIni(text: string): Ini {
  const entries: IniEntry[] = []
  const problems: IniProblem[] = []
  let section: string | undefined
  let open: IniEntry | undefined
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = index + 1
    const trimmed = raw.trim()
    if (trimmed === '' || /^[#;]/.test(trimmed)) {
      if (trimmed === '') open = undefined
      continue
    }
    if (/^\s/.test(raw)) {
      if (open) open.value += `\n${trimmed}`
      else
        problems.push({ line, text: `"${shown(trimmed)}" is indented, and there is no value before that it goes on` })
      continue
    }
    open = undefined
    const heading = SECTION.exec(trimmed)?.[1]?.trim()
    const [, name, value] = ASSIGNMENT.exec(trimmed) ?? []
    if (heading !== undefined) section = heading
    else if (name === undefined || value === undefined || trimmed.startsWith('[')) {
      problems.push({ line, text: `"${shown(trimmed)}" is neither [section] nor name = value` })
    } else if (section === undefined) {
      problems.push({
        line,
        text: `"${shown(name)}" stands before the first [section]: put it under one, e.g. [DEFAULT]`,
      })
    } else {
      open = { section, name, value, line }
      entries.push(open)
    }
  }
  for (const entry of entries) entry.value = unquoted(entry.value)
  return { entries, problems }
}

const shown = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}...` : text)

function unquoted(value: string): string {
  const quote = value.at(0)
  const isQuoted = value.length > 1 && (quote === '"' || quote === "'") && value.at(-1) === quote
  return isQuoted ? value.slice(1, -1) : value
}
