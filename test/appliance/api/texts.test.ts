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

  it('never take more than their room: one newcomer in sixteen then gets in, and the first made give way to it', () => {
    const texts = createTexts(10)
    const [a, b, ...others] = ['a', 'b', ...Array.from({ length: 16 }, (_, index) => `c${index}`)].map(record)
    assert.ok(a && b)
    const kept = () => [a, b, ...others].filter((each) => texts.get(each, 'list') !== undefined).map(({ uuid }) => uuid)
    for (const each of [a, b]) texts.keep(each, 'list', 'four')

    for (const each of others.slice(0, 15)) texts.keep(each, 'list', 'four')

    assert.deepEqual(kept(), ['a', 'b'])
    for (const each of others.slice(15)) texts.keep(each, 'list', 'four')
    assert.deepEqual(kept(), ['b', 'c15'])
  })

  it('have the room again of a record that has changed', () => {
    const texts = createTexts(10)
    const [a, b, c] = [record('a'), record('b'), record('c')]
    for (const each of [a, b]) texts.keep(each, 'list', 'four')

    texts.keep(record('b'), 'list', 'five5')

    assert.equal(texts.get(a, 'list'), 'four')
    texts.keep(c, 'list', '1')
    assert.deepEqual([texts.get(a, 'list'), texts.get(c, 'list')], ['four', '1'])
  })

  it('of another view of a record that is kept push out those that were made first', () => {
    const texts = createTexts(10)
    const [a, b] = [record('a'), record('b')]
    for (const each of [a, b]) texts.keep(each, 'list', 'four')

    texts.keep(b, 'detail', 'five5')

    assert.deepEqual([texts.get(a, 'list'), texts.get(b, 'list'), texts.get(b, 'detail')], [undefined, 'four', 'five5'])
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
