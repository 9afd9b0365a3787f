/** Replaces `$name` in a value by another option. Handles text only: its meaning is decided afterwards. */

/** The text of an option; undefined: there is no such option, or nothing is set. */
export type Lookup = (section: string, name: string) => string | undefined

const NESTING_LIMIT = 8
/** `\$` is the same as `$$`. A name may have its section in front: `$deploy.http_root`. */
const REFERENCE = /\\\$|\$(?:\$|(\w+(?:\.\w+)?)|\{(\w+(?:\.\w+)?)\})/g

/**
 * `$name` and `${name}` stand for an option of the same section, else of [DEFAULT]; `$section.name` for one of that
 * section;
 * `$$` and `\$` for a dollar sign. A name that no option has stays as it is.
 * @source oslo.config cfg.py, ConfigOpts._substitute and StrSubWrapper
 */
export function substitute(text: string, section: string, lookup: Lookup, depth = 0): string {
  return text.replace(REFERENCE, (whole, bare?: string, braced?: string) => {
    const name = bare ?? braced
    if (name === undefined) return '$'
    if (depth === NESTING_LIMIT) return whole
    return textFor(name, section, lookup, depth) ?? restOf(name, section, lookup, depth) ?? whole
  })
}

function textFor(name: string, section: string, lookup: Lookup, depth: number): string | undefined {
  const dot = name.indexOf('.')
  const places =
    dot < 0
      ? ([
          [section, name],
          ['DEFAULT', name],
        ] as const)
      : ([[name.slice(0, dot), name.slice(dot + 1)]] as const)
  for (const [place, option] of places) {
    const text = lookup(place, option)
    if (text !== undefined) return substitute(text, place, lookup, depth + 1)
  }
  return undefined
}

/** In `$host.example.org`, `host` is an option, because no section has that name. */
function restOf(name: string, section: string, lookup: Lookup, depth: number): string | undefined {
  const dot = name.indexOf('.')
  if (dot < 0) return undefined
  const value = textFor(name.slice(0, dot), section, lookup, depth)
  return value === undefined ? undefined : value + name.slice(dot)
}
