import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKeyedMutex } from '../../../appliance/ground/keyed-mutex.ts'

describe('turns', () => {
  it('go one after the other for one key, whatever became of the one before, and side by side for others', async () => {
    const turns = createKeyedMutex()
    const told: string[] = []
    const gate = Promise.withResolvers<void>()

    const first = turns.run('a', async () => {
      await gate.promise
      told.push('a1')
      throw new Error('failed')
    })
    const second = turns.run('a', async () => told.push('a2'))
    await turns.run('b', async () => told.push('b'))
    gate.resolve()

    await assert.rejects(first, { message: 'failed' })
    await second
    assert.deepEqual(told, ['b', 'a1', 'a2'])
  })

  it('go by whoever gives up waiting, and not before whom it waited for', async () => {
    const turns = createKeyedMutex()
    const gate = Promise.withResolvers<void>()
    const told: string[] = []
    const giveUp = new AbortController()

    const first = turns.run('a', () => gate.promise.then(() => told.push('first')))
    const second = turns.run('a', async () => told.push('second'), giveUp.signal)
    const third = turns.run('a', async () => told.push('third'))
    giveUp.abort(new Error('too long'))
    await assert.rejects(second, { message: 'too long' })
    gate.resolve()

    await Promise.all([first, third])
    assert.deepEqual(told, ['first', 'third'])
  })
})
