import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { JsonMeter, JsonTooMuch, parseJson } from '../../../appliance/ground/json-meter.ts'

const LIMITS = { depth: 3, values: 8 }

/** @param pieces  how many bytes come at once */
function refusalOf(text: string, pieces: number): string | undefined {
  const meter = new JsonMeter(LIMITS)
  const bytes = Buffer.from(text)
  try {
    for (let at = 0; at < bytes.length; at += pieces) meter.add(bytes.subarray(at, at + pieces))
  } catch (error) {
    if (error instanceof JsonTooMuch) return error.message
    throw error
  }
  return undefined
}

const DEEP = 'it is nested deeper than 3 levels'
const MANY = 'it holds more than 8 values'
const LONG = 'it holds a number of more than 4300 characters'

describe('the meter of JSON', () => {
  const cases: readonly { what: string; text: string; refusal?: string }[] = [
    { what: 'lists as deep as may be', text: '[[[1]]]' },
    { what: 'lists one deeper', text: '[[[[1]]]]', refusal: DEEP },
    { what: 'objects one deeper', text: '{"a":{"a":{"a":{"a":1}}}}', refusal: DEEP },
    { what: 'lists that were never closed', text: '[[[[', refusal: DEEP },
    { what: 'lists beside each other', text: '[[1],[1],[1]]' },
    { what: 'as many values as may be', text: '[1,2,3,4,5,6,7]' },
    { what: 'one value more', text: '[1,2,3,4,5,6,7,8]', refusal: MANY },
    { what: 'keys, the same each time', text: '{"a":1,"a":1,"a":1,"a":1}', refusal: MANY },
    { what: 'empty objects', text: '[{},{},{},{}]', refusal: MANY },
    { what: 'brackets and commas in a text', text: '["[[[[[{{{{,,,,,,,,::::", "]"]' },
    { what: 'a text with quotes in it', text: String.raw`["a\"[[[[,,,,,,,,", "\\"]` },
    { what: 'lists behind a text that ends with a backslash', text: String.raw`["\\",[[[1]]]]`, refusal: DEEP },
    { what: 'a text of 100,000 characters', text: JSON.stringify(['x'.repeat(100_000)]) },
    { what: 'a number as long as may be', text: `[1,${'1'.repeat(4300)}]` },
    { what: 'a number that is longer', text: `[1.${'0'.repeat(4300)}]`, refusal: LONG },
    { what: 'blanks as many as may be', text: `[${' '.repeat(4300)}]` },
    { what: 'more blanks', text: `[${' '.repeat(4301)}]`, refusal: 'it holds more than 4300 blanks in a row' },
    { what: 'characters of several bytes', text: '["ä€𝄞[[[[["]' },
  ]
  for (const { what, text, refusal } of cases) {
    it(`${refusal === undefined ? 'lets through' : 'refuses'} ${what}, wherever the bytes are cut`, () => {
      const found = [1, 2, 3, 1_000, 1_000_000].map((pieces) => refusalOf(text, pieces))

      assert.deepEqual(found, Array(5).fill(refusal))
    })
  }

  for (const [text, expected] of [
    ['[0,1,123456789012345,true,false,null,"1.0","1e5"]', false],
    ['[1.0]', true],
    ['[1e5]', true],
    ['[-0]', true],
    ['[1234567890123456]', true],
  ] as const) {
    it(`${expected ? 'sees' : 'sees no'} number that a plain one may not keep in ${text}`, () => {
      const meter = new JsonMeter({ depth: 3, values: 100 })
      for (const byte of Buffer.from(text)) meter.add(Buffer.of(byte))

      assert.equal(meter.hasOddNumbers, expected)
    })
  }

  it('refuses before the text has ended: nobody needs to keep the rest', () => {
    const meter = new JsonMeter({ depth: 25, values: 1_000_000 })

    assert.throws(() => meter.add(Buffer.from('['.repeat(26))), JsonTooMuch)
  })
})

describe('JSON of strangers', () => {
  it('is parsed as JSON.parse does', () => {
    const value = { a: [1, 'ä', null, true, { b: 1.5 }] }

    assert.deepEqual(parseJson(JSON.stringify(value)), value)
    assert.deepEqual(parseJson(Buffer.from(JSON.stringify(value))), value)
  })

  it('is never parsed when it holds more than the limits', () => {
    assert.throws(() => parseJson('['.repeat(1_000_000)), { message: 'it is nested deeper than 32 levels' })
    assert.throws(() => parseJson(`[${'{},'.repeat(60_000)}{}]`), { message: 'it holds more than 100000 values' })
    assert.throws(() => parseJson('[1,2,3]', { values: 3 }), { message: 'it holds more than 3 values' })
  })

  it('is UTF-8, and says when it is not', () => {
    assert.throws(() => parseJson(Buffer.from([0x22, 0xff, 0x22])), TypeError)
  })
})
