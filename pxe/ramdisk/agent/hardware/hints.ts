/** Expressions of root device hints: "s== nvme", ">= 100", "<in> samsung", "<or> a <or> b". */

export type HintType = 'text' | 'integer' | 'boolean'
type Operator = keyof typeof COMPARE
type Expression = { operator: Operator; values: string[] }

/** @source oslo.utils specs_matcher: operators, and that a plain = means "at least" */
const COMPARE = {
  '=': (found: string, [wanted = '']: readonly string[]) => Number(found) >= Number(wanted),
  '==': (found: string, [wanted = '']: readonly string[]) => Number(found) === Number(wanted),
  '!=': (found: string, [wanted = '']: readonly string[]) => Number(found) !== Number(wanted),
  '>=': (found: string, [wanted = '']: readonly string[]) => Number(found) >= Number(wanted),
  '<=': (found: string, [wanted = '']: readonly string[]) => Number(found) <= Number(wanted),
  '>': (found: string, [wanted = '']: readonly string[]) => Number(found) > Number(wanted),
  '<': (found: string, [wanted = '']: readonly string[]) => Number(found) < Number(wanted),
  's==': (found: string, [wanted = '']: readonly string[]) => found === wanted,
  's!=': (found: string, [wanted = '']: readonly string[]) => found !== wanted,
  's>=': (found: string, [wanted = '']: readonly string[]) => found >= wanted,
  's<=': (found: string, [wanted = '']: readonly string[]) => found <= wanted,
  's>': (found: string, [wanted = '']: readonly string[]) => found > wanted,
  's<': (found: string, [wanted = '']: readonly string[]) => found < wanted,
  '<in>': (found: string, [wanted = '']: readonly string[]) => found.includes(wanted),
  '<or>': (found: string, wanted: readonly string[]) => wanted.includes(found),
  '<all-in>': (found: string, wanted: readonly string[]) => wanted.every((word) => found.includes(word)),
} as const

/** Longest first, so that `=` does not win over `==`. */
const OPERATORS = (Object.keys(COMPARE) as Operator[]).sort((a, b) => b.length - a.length)

function parse(text: string, standard: Operator): Expression {
  const operator = OPERATORS.find((candidate) => text.startsWith(candidate))
  if (!operator) return { operator: standard, values: [text] }
  const rest = text.slice(operator.length)
  const values =
    operator === '<or>' ? rest.split('<or>') : operator === '<all-in>' ? rest.split(/<all-in>|\s+/) : [rest]
  return { operator, values: values.map((value) => value.trim()).filter(Boolean) }
}

/**
 * A test for one hint.
 * @throws Error  one sentence: what the hint is, what was expected
 */
export function hintTest(name: string, type: HintType, expression: unknown): (found: string) => boolean {
  const text = String(expression).trim().toLowerCase()
  if (text === '') throw new Error(`Root device hint "${name}" expression is empty`)
  if (type === 'boolean') {
    const wanted = parseBoolean(text)
    if (wanted === undefined) {
      throw new Error(`Root device hint "${name}" is not a Boolean value. Current value: ${text}`)
    }
    return (found) => parseBoolean(found) === wanted
  }
  const { operator, values } = parse(text, type === 'text' ? 's==' : '==')
  if (values.length === 0) throw new Error(`Root device hint "${name}" has no value after ${operator}`)
  if (type === 'integer' && !values.every((value) => /^[1-9]\d*$/.test(value))) {
    throw new Error(`Root device hint "${name}" is not a positive integer. Current value: ${text}`)
  }
  const numbers = type === 'integer' && operator === '<or>'
  return (found) =>
    numbers
      ? values.some((value) => Number(value) === Number(found))
      : COMPARE[operator](found.trim().toLowerCase(), values)
}

function parseBoolean(text: string): boolean | undefined {
  if (/^(1|t|true|on|y|yes)$/i.test(text)) return true
  return /^(0|f|false|off|n|no)$/i.test(text) ? false : undefined
}
