import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseIni } from '../../../appliance/config/ini.ts'

const valuesOf = (text: string) => parseIni(text).entries.map(({ section, name, value }) => [section, name, value])

describe('ini file', () => {
  it('keeps ; and # inside a value, as oslo.config does', () => {
    assert.deepEqual(valuesOf('[a]\nx = one; two # three'), [['a', 'x', 'one; two # three']])
  })

  it('takes = and : as signs, and the first one only', () => {
    assert.deepEqual(valuesOf('[a]\nx=1=2\ny : http://host:80'), [
      ['a', 'x', '1=2'],
      ['a', 'y', 'http://host:80'],
    ])
  })

  it('takes lines that begin with # or ; as comments, also between an option and the line that goes on with it', () => {
    assert.deepEqual(valuesOf('# c\n[a]\n; c\nx = 1\n# c\n  2'), [['a', 'x', '1\n2']])
  })

  it('goes on with a value in indented lines', () => {
    assert.deepEqual(valuesOf('[a]\nx = 1\n  2\n\t3\ny = 4'), [
      ['a', 'x', '1\n2\n3'],
      ['a', 'y', '4'],
    ])
  })

  it('takes quotes around a whole value away, and no others', () => {
    assert.deepEqual(
      valuesOf(`[a]\nx = " 1 "\ny = '2'\nz = "a" b`).map(([, , value]) => value),
      [' 1 ', '2', '"a" b'],
    )
  })

  it('reads files with a byte order mark and Windows line ends', () => {
    assert.deepEqual(valuesOf('\uFEFF[a]\r\nx = 1\r\n'), [['a', 'x', '1']])
  })

  it('tells the line of everything that it does not understand', () => {
    const { problems } = parseIni('x = 1\n[a]\nnonsense\n\n  indented\n[unclosed\n = 5')

    assert.deepEqual(problems, [
      { line: 1, text: '"x" stands before the first [section]: put it under one, e.g. [DEFAULT]' },
      { line: 3, text: '"nonsense" is neither [section] nor name = value' },
      { line: 5, text: '"indented" is indented, and there is no value before that it goes on' },
      { line: 6, text: '"[unclosed" is neither [section] nor name = value' },
      { line: 7, text: '"= 5" is indented, and there is no value before that it goes on' },
    ])
  })
})
