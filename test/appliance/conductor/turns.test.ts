/** Heavy work of a plugin's nodes, some at a time. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inTurn, type Turns } from '../../../appliance/conductor/parts/turns.ts'

function rig() {
  const turns: Turns = new Map()
  const notes: string[] = []
  const start = (plugin: string, limit = 2, signal = new AbortController().signal) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let began = false
    const done = inTurn(turns, { plugin, signal, progress: ({ note }) => notes.push(note) }, limit, async () => {
      began = true
      await promise
      return plugin
    })
    return { done, end: resolve, began: () => began }
  }
  return { notes, start }
}
const soon = () => new Promise((resolve) => setImmediate(resolve))

describe('the work of a plugin that is done in turn', () => {
  it('is done for so many nodes at once, and for the next when one ends', async () => {
    const { start, notes } = rig()

    const works = ['a', 'a', 'a', 'b'].map((plugin) => start(plugin))
    await soon()
    assert.deepEqual(
      works.map(({ began }) => began()),
      [true, true, false, true],
    )
    assert.deepEqual(notes, ['waiting for its turn: 2 run at a time'])

    works[0]?.end()
    assert.equal(await works[0]?.done, 'a')
    await soon()
    assert.equal(works[2]?.began(), true)
  })

  it('is not begun for a node that was called off while it waited, and the others have their turn', async () => {
    const { start } = rig()
    const called = new AbortController()
    const first = start('a', 1)
    const second = start('a', 1, called.signal)
    const third = start('a', 1)

    called.abort(new Error('the operator gave up'))
    await assert.rejects(second.done, { message: 'the operator gave up' })
    first.end()
    await first.done
    await soon()

    assert.deepEqual([second.began(), third.began()], [false, true])
  })

  it('that fails gives its place to the next', async () => {
    const turns: Turns = new Map()
    const given = { plugin: 'a', signal: new AbortController().signal, progress() {} }

    await assert.rejects(
      inTurn(turns, given, 1, () => Promise.reject(new Error('no'))),
      { message: 'no' },
    )

    assert.equal(await inTurn(turns, given, 1, async () => 7), 7)
  })
})
