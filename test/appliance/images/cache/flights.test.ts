/** Work that many wait for is done once, and not too much of it at a time. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createFlights, type Note } from '../../../../appliance/images/cache/flights.ts'

const waiter = (signal = new AbortController().signal, notes: Note[] = []) => ({
  signal,
  progress: (note: Note) => void notes.push(note),
})

describe('flights', () => {
  it('run at most as many at once as they may; the next one is told that it waits', async () => {
    const flights = createFlights<string>(1)
    const first = Promise.withResolvers<string>()
    const notes: Note[] = []
    const one = flights.join('a', waiter(), () => first.promise)
    const two = flights.join('b', waiter(undefined, notes), async () => 'b')
    await new Promise(setImmediate)
    assert.deepEqual(notes, [{ note: 'waiting for other images' }])

    first.resolve('a')

    assert.deepEqual(await Promise.all([one, two]), ['a', 'b'])
  })

  it('give a turn on when who waited for it gives up', async () => {
    const flights = createFlights<string>(1)
    const first = Promise.withResolvers<string>()
    const leaving = new AbortController()
    const one = flights.join('a', waiter(), () => first.promise)
    const two = flights.join('b', waiter(leaving.signal), async () => 'b')
    const three = flights.join('c', waiter(), async () => 'c')
    await new Promise(setImmediate)

    leaving.abort(new Error('gone'))
    await assert.rejects(two, /gone/)
    first.resolve('a')

    assert.deepEqual(await Promise.all([one, three]), ['a', 'c'])
  })

  it('tell who comes later what was said last', async () => {
    const flights = createFlights<string>(1)
    const end = Promise.withResolvers<string>()
    const notes: Note[] = []
    const one = flights.join('a', waiter(), (flight) => {
      flight.progress({ note: 'half', done: 1, total: 2 })
      return end.promise
    })
    await new Promise(setImmediate)
    const two = flights.join('a', waiter(undefined, notes), () => end.promise)

    end.resolve('a')

    assert.deepEqual(await Promise.all([one, two]), ['a', 'a'])
    assert.deepEqual(notes, [{ note: 'half', done: 1, total: 2 }])
  })

  it('fail for all who wait, and begin anew afterwards', async () => {
    const flights = createFlights<string>(1)
    const work = async () => {
      throw new Error('broken')
    }

    const results = await Promise.allSettled([flights.join('a', waiter(), work), flights.join('a', waiter(), work)])

    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    assert.equal(await flights.join('a', waiter(), async () => 'good'), 'good')
  })

  it('end when the appliance stops', async () => {
    const flights = createFlights<string>(1)
    const stuck = flights.join(
      'a',
      waiter(),
      ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    )
    const stopped = assert.rejects(stuck, /the appliance stops/)
    await new Promise(setImmediate)

    await flights.close()

    await stopped
  })
})
