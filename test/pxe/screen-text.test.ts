import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { screenText } from '../../pxe/screen-text.ts'

describe("text for a machine's screen", () => {
  it('leaves plain words alone', () => {
    assert.equal(screenText('Node n1 is "active": nothing to do (yet).'), 'Node n1 is "active": nothing to do (yet).')
  })

  it('is one line of printable ASCII, at most 200 characters of the original', () => {
    assert.equal(screenText('  a\r\n\tb\u0007\u001b[2Jc é🙂 '), 'a b [2Jc ???')
    assert.equal(screenText('x'.repeat(5_000)), 'x'.repeat(200))
  })

  it('expands nothing, even when it was made to look harmless', () => {
    for (const text of ['${a}', '$${a}', '${${a}}', '$\n{a}', '$\u0007{a}', '$é{a}']) {
      assert.doesNotMatch(screenText(text), /\$\{/, text)
    }
  })

  it('holds no word that iPXE takes for an operator, a comment or a continued line', () => {
    assert.equal(screenText('|| && ; # #a a\\ a||b'), '"||" "&&" ";" "#" "#a" "a\\" a||b')
  })
})
