/** Reads JSON so that each number goes out as it came in: 2.0, 20 digits, 1e400. Every other number is a plain one. */
import { trimEnd } from './trim-end.ts'

declare global {
  // ECMAScript "JSON.parse source text access", which Node 24 has and the compiler's library does not know yet.
  interface JSON {
    rawJSON(text: string): unknown
    parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
  }
}

/**
 * A number whose characters a plain number would change. JSON.stringify and String give the characters back; arithmetic
 * and `Number()` use the nearest plain number. It never changes, so that copies may share it.
 */
export class ExactNumber {
  readonly source: string

  /** @param source  as JSON has it (RFC 8259 section 6) */
  constructor(source: string) {
    this.source = source
    Object.freeze(this)
  }

  toJSON(): unknown {
    return JSON.rawJSON(this.source)
  }

  toString(): string {
    return this.source
  }

  valueOf(): number {
    return Number(this.source)
  }
}

/**
 * Whether a text may hold such a number: 16 digits, an exponent, a fraction that ends in 0 or begins with six zeros,
 * or -0. It is also true of some texts in quotes, which costs time and nothing else.
 */
// A colon has its key's quote or a blank before it: the times of records (10:06:00.000000) do not count.
const MAY_BE_DAMAGED =
  /(?:^|[[,\s]|(?<=[\s"]):)-?(?:[\d.]{16}|\d[\d.]*[eE][+-]?\d|\d+\.(?:\d*0(?!\d)|0{6})|(?<=-)0(?![\d.]))/

/**
 * Parses as JSON.parse does, with an ExactNumber where a plain number would come out in other characters.
 * @param mayBeDamaged  whether there may be such a number: a JsonMeter knows it already
 * @throws SyntaxError; RangeError  nested too deeply
 */
export function parseExact(text: string, mayBeDamaged = MAY_BE_DAMAGED.test(text)): unknown {
  return mayBeDamaged ? JSON.parse(text, exactly) : JSON.parse(text)
}

function exactly(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || spelled(value) === context.source) return value
  return new ExactNumber(context.source)
}

/** -0 is "0" to String and to JSON.stringify. */
const spelled = (value: number) => (Object.is(value, -0) ? '0' : String(value))

/** An object or a list: what has members. */
export const hasMembers = (value: unknown): value is object =>
  value !== null && typeof value === 'object' && !(value instanceof ExactNumber)

/** A plain number instead of an exact one. Only for what is computed with: digits may be lost. */
export const plainNumber = (value: unknown): unknown => (value instanceof ExactNumber ? value.valueOf() : value)

/**
 * Makes a copy for callers that know plain JSON only: 2.0 becomes 2. A number that a plain one cannot represent stays
 * an ExactNumber: nobody takes it for another number, and String gives its digits.
 */
export function withPlainNumbers<T>(value: T): T {
  return plain(value) as T
}

function plain(value: unknown): unknown {
  if (value instanceof ExactNumber) return isHeldBy(value.valueOf(), value.source) ? value.valueOf() : value
  if (!hasMembers(value)) return value
  if (Array.isArray(value)) {
    const items = value.map(plain)
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  const entries = Object.entries(value)
  const changed = entries.map(([key, item]): [string, unknown] => [key, plain(item)])
  return changed.some(([, item], index) => item !== entries[index]?.[1]) ? Object.fromEntries(changed) : value
}

/** The same value, digit by digit, and not only the nearest. */
const isHeldBy = (number: number, source: string) =>
  Number.isFinite(number) && !Object.is(number, -0) && normal(String(number)) === normal(source)

/** Significant digits and exponent: "2.0", "2" and "20e-1" are the same here. */
function normal(source: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const short = trimEnd(digits, '0')
  if (short === '') return '0'
  return `${sign}${short}e${Number(exponent) - fraction.length + digits.length - short.length}`
}
