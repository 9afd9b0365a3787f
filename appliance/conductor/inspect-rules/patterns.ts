/**
 * Regular expressions of rules, which are Python's, as JavaScript has them. One may run for ever: they are compiled
 * anywhere, and matched in a process apart alone.
 */

/** Of which Python's spelling is another. */
const SPELLINGS: readonly (readonly [python: RegExp, javascript: string])[] = [
  [/\(\?P</g, '(?<'],
  [/\(\?P=(\w+)\)/g, '\\k<$1>'],
]
const PATTERN_LIMIT = 4096

/** @throws Error  it is none, or JavaScript has no such thing */
export function pattern(python: string): RegExp {
  if (python.length > PATTERN_LIMIT) throw new Error(`it has more than ${PATTERN_LIMIT} characters`)
  const [, letters = '', rest = ''] = /^(?:\(\?([aimsu]+)\))?([\s\S]*)$/.exec(python) ?? []
  const flags = [...new Set(letters)].filter((letter) => 'ims'.includes(letter)).join('')
  const spelled = SPELLINGS.reduce((text, [from, to]) => text.replace(from, to), anchored(rest))
  return new RegExp(spelled, flags)
}

/** \A and \Z are the ends of the text, in all lines. A backslash that is escaped is none. */
const anchored = (text: string) =>
  text.replace(/\\[\s\S]/g, (escaped) =>
    escaped === '\\A' ? '(?<![\\s\\S])' : escaped === '\\Z' ? '(?![\\s\\S])' : escaped,
  )

/** From the beginning of the text. @source Python re.match */
export const matchesAtStart = (python: string, text: string): boolean => {
  const { source, flags } = pattern(python)
  return new RegExp(`(?<![\\s\\S])(?:${source})`, flags).test(text)
}
