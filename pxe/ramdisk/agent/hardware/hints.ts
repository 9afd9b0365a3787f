/**
 * Expressions of root device hints: "s== nvme", ">= 100", "<in> samsung", "<or> a <or> b". Knows no disk and no node.
 */

export type HintType = 'text' | 'integer' | 'boolean'
/** @throws HintUnreadable  the disk's value cannot be compared so. null: the disk does not tell it */
export type HintTest = (found: string | number | boolean | null) => boolean

/** One sentence: what the hint is, what was expected. */
export class HintUnreadable extends Error {}

type Compare = (found: string, wanted: readonly string[]) => boolean
/**
 * All operators but `<in>` treat a text and its normal form alike: "20" is not in "Samsung SSD", and is in
 * "samsung%20ssd".
 */
const asNumbers =
  (compare: (found: number, wanted: number) => boolean): Compare =>
  (found, [wanted = '']) =>
    compare(numberOf(found), numberOf(wanted))
const asTexts =
  (compare: (found: string, wanted: string) => boolean): Compare =>
  (found, [wanted = '']) =>
    compare(normal(found), normal(wanted))

/**
 * In the order in which they are looked for at the start of an expression.
 * @source oslo.utils specs_matcher: a plain = means "at least"
 */
const NUMERIC: Readonly<Record<string, Compare>> = {
  '==': asNumbers((found, wanted) => found === wanted),
  '=': asNumbers((found, wanted) => found >= wanted),
  '!=': asNumbers((found, wanted) => found !== wanted),
  '>=': asNumbers((found, wanted) => found >= wanted),
  '<=': asNumbers((found, wanted) => found <= wanted),
  '>': asNumbers((found, wanted) => found > wanted),
  '<': asNumbers((found, wanted) => found < wanted),
}
const TEXTUAL: Readonly<Record<string, Compare>> = {
  's==': asTexts((found, wanted) => found === wanted),
  's!=': asTexts((found, wanted) => found !== wanted),
  's<=': asTexts((found, wanted) => found <= wanted),
  's<': asTexts((found, wanted) => found < wanted),
  's>=': asTexts((found, wanted) => found >= wanted),
  's>': asTexts((found, wanted) => found > wanted),
  '<in>': (found, [wanted = '']) => found.includes(wanted),
}
const SEVERAL: Readonly<Record<string, Compare>> = {
  '<or>': (found, wanted) => wanted.includes(found),
  '<all-in>': (found, wanted) => wanted.every((word) => found.includes(word)),
}
/** oslo.utils knows it, and the stock agent refuses it wherever it stands. */
const RANGE = '<range-in>'
const COMPARE: Readonly<Record<string, Compare>> = { ...SEVERAL, ...NUMERIC, ...TEXTUAL }
const OPERATORS = [...Object.keys(SEVERAL), RANGE, '<in>', ...Object.keys(NUMERIC), ...Object.keys(TEXTUAL)]
const operatorOf = (text: string) => OPERATORS.find((operator) => text.startsWith(operator))

const spelled = (text: string) => text.trim().toLowerCase()

/**
 * As the stock agent compares texts: percent-encoded, so their order is that of ASCII.
 * @throws URIError  half of a surrogate pair
 */
const normal = (text: string) =>
  encodeURIComponent(text)
    .replace(/[!*'()]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/')

/** As Python's float reads it, but for infinity and what is not a number at all: nothing is compared with those. */
const FLOAT = /^[+-]?(\d+(_\d+)*(\.(\d+(_\d+)*)?)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/
const isNumber = (text: string) => FLOAT.test(text) && Number.isFinite(numberOf(text))
const numberOf = (text: string) => Number(text.replaceAll('_', ''))

/**
 * A test for one hint.
 * @throws HintUnreadable
 * @source ironic-python-agent device_hints.parse_root_device_hints; where this differs,
 * test/pxe/ramdisk/agent/hardware says why
 */
export function hintTest(name: string, type: HintType, expression: unknown): HintTest {
  if (type === 'boolean') return booleanTest(name, expression)
  if (type === 'text' && typeof expression !== 'string') {
    throw new HintUnreadable(
      `Root device hint "${name}" is not a string value. Hint expression: ${JSON.stringify(expression)}`,
    )
  }
  if (typeof expression !== 'string' && typeof expression !== 'number') throw notPositive(name, expression)
  const text = spelled(String(expression))
  if (text === '') throw new HintUnreadable(`Root device hint "${name}" expression is empty`)
  return type === 'integer' ? integerTest(name, text) : textTest(name, text)
}

function integerTest(name: string, text: string): HintTest {
  const { operator, values } = parse(name, text, '==')
  // A text operator compares the size, a number, with a text: it matches no disk, or every one.
  if (!(operator in NUMERIC) && operator !== '<or>') throw notPositive(name, text)
  if (!values.every((value) => /^\+?\d+(_\d+)*$/.test(value) && numberOf(value) > 0)) throw notPositive(name, text)
  const numbers = values.map(numberOf)
  if (operator === '<or>') return (found) => numbers.includes(Number(found))
  return (found) =>
    COMPARE[operator]?.(
      String(found),
      values.map((value) => value.replace('+', '')),
    ) === true
}

const notPositive = (name: string, found: unknown) =>
  new HintUnreadable(
    `Root device hint "${name}" is not a positive integer. Current value: ${typeof found === 'string' ? found : JSON.stringify(found)}`,
  )

function textTest(name: string, text: string): HintTest {
  if (!text.isWellFormed())
    throw new HintUnreadable(`Root device hint "${name}" is not a text: ${JSON.stringify(text)}`)
  const { operator, values } = parse(name, text, 's==')
  const compare = COMPARE[operator]
  const numeric = operator in NUMERIC
  if (numeric && !values.every((value) => isNumber(value) && !value.startsWith('+'))) {
    throw new HintUnreadable(
      `Root device hint "${name}" compares with ${operator}, which is for numbers. Current value: ${text}. Texts are compared with ` +
        `s==, s!=, <in> and <or>.`,
    )
  }
  return (told) => {
    // As the stock agent has it: what a disk does not tell is the text "none".
    const found = spelled(String(told ?? 'none'))
    if (found === '') return false
    if (numeric && !isNumber(found)) {
      throw new HintUnreadable(
        `Root device hint "${name}" compares numbers with ${operator}, and this machine has a disk whose ${name} is ${found}.`,
      )
    }
    return compare?.(found.toWellFormed(), values) === true
  }
}

type Expression = { operator: string; values: string[] }

/** Operators stand at the start; `<or>` and `<all-in>` again before each further value. @throws HintUnreadable */
function parse(name: string, text: string, standard: string): Expression {
  const operator = operatorOf(text)
  if (operator === undefined) return { operator: standard, values: [text] }
  if (operator === RANGE) throw new HintUnreadable(`Root device hint "${name}" has ${RANGE}, which no hint can have.`)
  const rest = text.slice(operator.length)
  const given = rest.split(operator).map((value) => value.trim())
  // A last operator without a value is passed over, as by the stock agent.
  if (given.length > 1 && given.at(-1) === '') given.pop()
  const values = operator === '<all-in>' ? given.flatMap((value) => value.split(/\s+/)) : given
  if (values.some((value) => value === '')) {
    throw new HintUnreadable(`Root device hint "${name}" has no value after ${operator}`)
  }
  const wrong = values.find((value) => operatorOf(value) !== undefined)
  if (wrong !== undefined || (values.length > 1 && !(operator in SEVERAL))) {
    throw new HintUnreadable(
      `Root device hint "${name}" has more operators than can be read. Current value: ${text}. Several values are written as ` +
        `<or> one <or> other.`,
    )
  }
  return { operator, values }
}

const TRUE = /^(1|t|true|on|y|yes)$/
const FALSE = /^(0|f|false|off|n|no)$/

function booleanTest(name: string, expression: unknown): HintTest {
  const readable = ['boolean', 'number', 'string'].includes(typeof expression)
  const wanted = readable ? parseBoolean(expression) : undefined
  if (wanted === undefined) {
    const text = typeof expression === 'string' ? spelled(expression) : JSON.stringify(expression)
    throw new HintUnreadable(`Root device hint "${name}" is not a Boolean value. Current value: ${text}`)
  }
  return (found) => parseBoolean(found) === wanted
}

function parseBoolean(value: unknown): boolean | undefined {
  const text = spelled(String(value))
  if (TRUE.test(text)) return true
  return FALSE.test(text) ? false : undefined
}
