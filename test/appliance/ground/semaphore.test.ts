import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSemaphore } from '../../../appliance/ground/semaphore.ts'

describe('a semaphore', () => {
  it('lets so many in at a time, and the others in the order in which they came', async () => {
    const semaphore = createSemaphore(2)
    const order: number[] = []
    let inside = 0
    let most = 0

    await Promise.all(
      [0, 1, 2, 3, 4].map((number) =>
        semaphore.run(async () => {
          order.push(number)
          inside++
          most = Math.max(most, inside)
          await new Promise(setImmediate)
          inside--
        }),
      ),
    )

    assert.deepEqual([most, order, semaphore.waiting], [2, [0, 1, 2, 3, 4], 0])
  })

  it('gives the place of what fails to the next one', async () => {
    const semaphore = createSemaphore(1)

    const failed = semaphore.run(() => Promise.reject(new Error('no')))
    const next = semaphore.run(async () => 'yes')

    await assert.rejects(failed, { message: 'no' })
    assert.equal(await next, 'yes')
  })

  it('is told of waiting, which can be called off without taking a place', async () => {
    const semaphore = createSemaphore(1)
    const leave = await semaphore.enter()
    const giveUp = new AbortController()
    let waits = 0

    const waiting = semaphore.enter(giveUp.signal, () => waits++)
    giveUp.abort(new Error('too long'))

    await assert.rejects(waiting, { message: 'too long' })
    assert.deepEqual([waits, semaphore.waiting], [1, 0])
    leave()
    leave()
    const again = await semaphore.enter()
    const second = semaphore.enter()
    assert.equal(semaphore.waiting, 1)
    again()
    ;(await second)()
  })
})
