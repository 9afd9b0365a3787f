import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ExactNumber, parseExact, withPlainNumbers } from '../../../appliance/ground/exact-number.ts'
import { frozenCopy } from '../../../appliance/records/frozen.ts'

const EXACT = [
  ...['2.0', '0.0', '1.10', '-0', '-0.0', '1E5', '1e5', '1e+2', '0e0', '1e400', '-1e400', '1e-400', '0.0000001'],
  ...[
    '12345678901234567890',
    '-12345678901234567890',
    '123456789012345678',
    '9007199254740993',
    '0.12345678901234567890',
  ],
]
const PLAIN = ['0', '1', '-1', '2.5', '0.1', '100', '9007199254740991', '123456789012345', '0.000001', '1234567.125']

describe('JSON that is read exactly', () => {
  for (const source of [...EXACT, ...PLAIN]) {
    it(`gives ${source} back as it came, wherever it stands`, () => {
      for (const text of [source, `[${source}]`, `{"a":${source}}`, `{"a":[1,{"b":${source},"c":"x"}]}`]) {
        assert.equal(JSON.stringify(parseExact(text)), text)
        assert.equal(JSON.stringify(parseExact(text.replace(source, ` ${source}\n`))), text)
        assert.equal(JSON.stringify(parseExact(text.replaceAll(':', '\t:'))), text)
      }
    })
  }

  it('has plain numbers wherever they tell the same, and texts are never looked into', () => {
    for (const source of PLAIN) assert.equal(typeof parseExact(source), 'number')
    for (const source of EXACT) assert.ok(parseExact(source) instanceof ExactNumber, source)
    const text = '{"a":"2.0, 1e5, -0","b":"12345678901234567890"}'
    assert.deepEqual(parseExact(text), JSON.parse(text))
  })

  it('takes the last of two values with one key, and keeps lone surrogates and keys like __proto__', () => {
    const text = String.raw`{"a":1.0,"a":2.0,"__proto__":{"x":3.0},"b":"\ud800"}`

    const read = parseExact(text)

    assert.equal(JSON.stringify(read), String.raw`{"a":2.0,"__proto__":{"x":3.0},"b":"\ud800"}`)
    assert.equal(Object.getPrototypeOf(read), Object.prototype)
  })

  it('refuses what is no JSON, and what is nested too deeply to be walked', () => {
    for (const text of ['', '2.', '.5', '01', '+1.0', '1e', 'NaN', '[2.0', '{"a":2.0,}']) {
      assert.throws(() => parseExact(text), SyntaxError, text)
    }
    assert.throws(() => parseExact(`${'['.repeat(200_000)}2.0${']'.repeat(200_000)}`), RangeError)
  })

  it('finds each number that would be damaged, among many made by chance', () => {
    const digits = (count: number) => Array.from({ length: count }, () => Math.floor(Math.random() * 10)).join('')
    const some = (share: number, text: () => string) => (Math.random() < share ? text() : '')
    for (let round = 0; round < 5000; round++) {
      const whole = `${some(0.3, () => '-')}${1 + Math.floor(Math.random() * 9)}${digits(Math.floor(Math.random() * 22))}`
      const source =
        some(0.2, () => '0') ||
        whole + some(0.4, () => `.${digits(1 + Math.floor(Math.random() * 9))}`) + some(0.2, () => `e${digits(2)}`)
      const text = `{"a":["b", ${source}],"c":${source}}`
      assert.equal(JSON.stringify(parseExact(text)), text.replace(' ', ''))
    }
  })
})

describe('exact number', () => {
  it('is its digits as a text, and the nearest plain number where one is computed with', () => {
    const number = new ExactNumber('12345678901234567890')

    assert.equal(String(number), '12345678901234567890')
    assert.equal(`${number}`, '12345678901234567890')
    assert.ok(Number(number) > 1e19)
  })

  it('survives a copy for the store', () => {
    const copy = frozenCopy({ a: { b: [parseExact('2.0')] } })

    assert.equal(JSON.stringify(copy), '{"a":{"b":[2.0]}}')
    assert.ok(Object.isFrozen(copy.a.b[0]))
  })

  it('is a plain number to those who know only these, unless that would be another one', () => {
    const read = parseExact('{"a":2.0,"b":[1E5,12345678901234567890,1e400],"c":{"d":-0.0},"e":0.10}')

    const { b, ...rest } = withPlainNumbers(read) as { b: unknown[] }

    assert.equal(JSON.stringify(rest), '{"a":2,"c":{"d":-0.0},"e":0.1}')
    assert.deepEqual(b, [100_000, new ExactNumber('12345678901234567890'), new ExactNumber('1e400')])
    const plain = { a: [1, { b: 'x' }] }
    assert.equal(withPlainNumbers(plain), plain)
  })
})
