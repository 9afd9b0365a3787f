/**
 * Counts what a JSON text holds while its bytes arrive, so that nobody parses, or even keeps, one that would cost too
 * much. Knows no grammar: JSON.parse says what is JSON.
 */

export type JsonLimits = {
  /** Objects and lists inside each other. */
  depth: number
  /** Values and keys, as far as commas and brackets tell: never fewer than there are. */
  values: number
  /** In a row. Left out: as for a number, but no limit for parseJson, which they cost nothing. */
  blanks?: number
}

/** Of a number, or of blanks in a row. Python reads no longer integers either (4,300 digits). */
const RUN_LIMIT = 4300
/** As many digits, a plain number always keeps. */
const PLAIN_LIMIT = 15

/** One sentence about a text: "it is nested deeper than 25 levels". */
export class JsonTooMuch extends Error {
  readonly kind: 'depth' | 'values' | 'run'
  constructor(kind: JsonTooMuch['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

const QUOTE = 0x22
const NUMBER_BEGINS = bytesOf('-0123456789')
/** A fraction, an exponent. Minus is here for -0, which is rare. */
const NOT_WHOLE = bytesOf('.eE-')
const BACKSLASH = 0x5c

/** What a byte outside of quotes means; 0: part of a token. */
const [OPENS, CLOSES, PARTS, BLANK, QUOTES] = [1, 2, 3, 4, 5] as const
const MEANINGS = meaningsOf({ '[{': OPENS, ']}': CLOSES, ',:': PARTS, ' \t\n\r': BLANK, '"': QUOTES })

function bytesOf(characters: string): Uint8Array {
  const bytes = new Uint8Array(256)
  for (const one of characters) bytes[one.charCodeAt(0)] = 1
  return bytes
}

function meaningsOf(table: Readonly<Record<string, number>>): Uint8Array {
  const meanings = new Uint8Array(256)
  for (const [characters, meaning] of Object.entries(table)) {
    for (const one of characters) meanings[one.charCodeAt(0)] = meaning
  }
  return meanings
}

export class JsonMeter {
  readonly #limits: JsonLimits
  #depth = 0
  #values = 1
  /** Characters of a token, or blanks, so far. */
  #token = 0
  #blanks = 0
  #isNumber = false
  #hasOddNumbers = false
  #isString = false
  /** The last byte was the backslash of an escape. */
  #isEscaped = false

  constructor(limits: JsonLimits) {
    this.#limits = limits
  }

  /** Whether a number was among them that a plain one may not keep as it is: see exact-number.ts. */
  get hasOddNumbers(): boolean {
    return this.#hasOddNumbers
  }

  /** @param bytes  the next ones, in UTF-8, cut anywhere. @throws JsonTooMuch */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at = this.#isString ? this.#string(bytes, at) : this.#outside(bytes, at)
  }

  /** @returns where the string has ended */
  #string(bytes: Uint8Array, from: number): number {
    let isEscaped = this.#isEscaped
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]
      if (isEscaped) isEscaped = false
      else if (byte === BACKSLASH) isEscaped = true
      else if (byte === QUOTE) {
        this.#isString = false
        this.#isEscaped = false
        return at + 1
      }
    }
    this.#isEscaped = isEscaped
    return bytes.length
  }

  /** @returns where a string begins */
  #outside(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      const meaning = MEANINGS[byte]
      if (meaning === 0) {
        this.#addToToken(byte)
        continue
      }
      this.#token = 0
      this.#blanks = meaning === BLANK ? this.#blanks + 1 : 0
      if (this.#blanks > (this.#limits.blanks ?? RUN_LIMIT)) throw tooMuch.blanks()
      if (meaning === QUOTES) {
        this.#isString = true
        return at + 1
      }
      if (meaning === CLOSES) this.#depth--
      else if (meaning !== BLANK) this.#count(meaning)
    }
    return bytes.length
  }

  #addToToken(byte: number): void {
    if (this.#token === 0) this.#isNumber = NUMBER_BEGINS[byte] === 1
    this.#token++
    if (this.#token > RUN_LIMIT) throw tooMuch.number()
    if (this.#isNumber && (this.#token > PLAIN_LIMIT || NOT_WHOLE[byte] === 1)) this.#hasOddNumbers = true
  }

  #count(meaning: number | undefined): void {
    this.#values++
    if (this.#values > this.#limits.values) throw tooMuch.values(this.#limits)
    if (meaning !== OPENS) return
    this.#depth++
    if (this.#depth > this.#limits.depth) throw tooMuch.depth(this.#limits)
  }
}

const tooMuch = {
  depth: ({ depth }: JsonLimits) => new JsonTooMuch('depth', `it is nested deeper than ${depth} levels`),
  values: ({ values }: JsonLimits) => new JsonTooMuch('values', `it holds more than ${values} values`),
  number: () => new JsonTooMuch('run', `it holds a number of more than ${RUN_LIMIT} characters`),
  blanks: () => new JsonTooMuch('run', `it holds more than ${RUN_LIMIT} blanks in a row`),
}

/** A manifest with 10,000 layers has fewer. As many take JSON.parse some 20 ms. */
const STRANGERS: JsonLimits = { depth: 32, values: 100_000 }

/**
 * For what somebody else wrote, and a reader of its own has bounded in bytes.
 * @throws JsonTooMuch; SyntaxError; TypeError  bytes that are not encoded as UTF-8
 */
export function parseJson(given: Uint8Array | string, limits: Partial<JsonLimits> = {}): unknown {
  const bytes = typeof given === 'string' ? Buffer.from(given) : given
  new JsonMeter({ ...STRANGERS, blanks: Number.POSITIVE_INFINITY, ...limits }).add(bytes)
  return JSON.parse(typeof given === 'string' ? given : new TextDecoder('utf-8', { fatal: true }).decode(given))
}
