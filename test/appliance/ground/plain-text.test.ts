/** What a stranger's text is made into before anybody reads it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plainText, printableJson } from '@appliance/ground/plain-text'

describe('a text of an agent or a guest', () => {
  it('loses what moves a cursor, sets a title, or talks to the terminal, in 7 and in 8 bits', () => {
    const texts = [
      'red \u001b[31mtext\u001b[0m',
      'a \u009b2Jscreen',
      'a \u001b]0;title\u0007 title',
      'a \u001b]8;;http://x\u001b\\link',
      'a \u009d52;c;aGk=\u009cclipboard',
      'a \u001bP1$r\u001b\\device',
      'a \u001bcreset \u001b(0 set',
      'ends \u001b]0;within',
      'ends \u001b',
    ]

    assert.deepEqual(
      texts.map((text) => plainText(text)),
      ['red text', 'a screen', 'a  title', 'a link', 'a clipboard', 'a device', 'a reset  set', 'ends', 'ends'],
    )
  })

  it('is one line, in the direction in which it is written, with nothing that has no shape', () => {
    assert.equal(plainText('one\r\ntwo\tthree\u2028four\0\u0085five'), 'one two three four five')
    assert.equal(plainText('a\u202egpj.exe\u2066 b\u200bc\ufeff\u{e0041}d'), 'agpj.exe bcd')
    assert.equal(plainText('Zürich, 日本, \ud800 🚀'), 'Zürich, 日本, \ufffd 🚀')
  })

  it('is cut to size, never within a character', () => {
    assert.equal(plainText('🚀🚀', 3), '🚀\ufffd')
  })

  it('is read in one pass, whatever it is', () => {
    const began_ms = performance.now()
    for (const piece of ['\u001b', '\u001b[', '\u001b]', '\u009d', '\u001b[0;', '\u202e', '\u001b (']) {
      plainText(piece.repeat(100_000))
    }

    assert.ok(performance.now() - began_ms < 2_000)
  })
})

describe('a line of JSON', () => {
  it('says the same, and holds nothing that a terminal heeds', () => {
    const value = { note: 'a\u009b31m \u202e \u007f \u{e0041} ü\n' }

    const line = printableJson(JSON.stringify(value))

    assert.equal(line, '{"note":"a\\u009b31m \\u202e \\u007f \\udb40\\udc41 ü\\n"}')
    assert.deepEqual(JSON.parse(line), value)
  })
})
