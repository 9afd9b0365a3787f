/** The texts of records that are ready for who asks again. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTexts } from '../../../appliance/api/texts.ts'

const record = (uuid: string) => ({ uuid })

describe('the texts of a record', () => {
  it('are there again for the same record and view, and for no other', () => {
    const texts = createTexts()
    const node = record('a')

    texts.keep(node, 'list', 'short')
    texts.keep(node, 'detail', 'long')

    assert.deepEqual(
      [texts.get(node, 'list'), texts.get(node, 'detail'), texts.get(node, 'x')],
      ['short', 'long', undefined],
    )
    assert.equal(texts.get(record('b'), 'list'), undefined)
  })

  it('are gone when the record has changed', () => {
    const texts = createTexts()
    texts.keep(record('a'), 'list', 'before')

    assert.equal(texts.get(record('a'), 'list'), undefined)
  })

  it('give way to those of other records, the first made first, so that they never take more than their room', () => {
    const texts = createTexts(10)
    const [a, b, c] = [record('a'), record('b'), record('c')]

    for (const each of [a, b, c]) texts.keep(each, 'list', 'four')
    assert.deepEqual(
      [a, b, c].map((each) => texts.get(each, 'list')),
      [undefined, 'four', 'four'],
    )

    // b's room is free again once b is another record.
    texts.keep(record('b'), 'list', 'five5')
    assert.equal(texts.get(c, 'list'), 'four')
    texts.keep(a, 'list', 'one')
    assert.deepEqual([texts.get(c, 'list'), texts.get(a, 'list')], [undefined, 'one'])
  })

  it('are of four views at most', () => {
    const texts = createTexts()
    const node = record('a')

    for (const view of ['1', '2', '3', '4', '5']) texts.keep(node, view, view)

    assert.deepEqual(
      ['1', '2', '5'].map((view) => texts.get(node, view)),
      [undefined, '2', '5'],
    )
  })
})
