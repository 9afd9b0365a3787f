import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Throttle } from '../../../appliance/access/throttle.ts'

function failing(throttle: Throttle, address: string, times: number): number {
  for (let count = 0; count < times; count++) throttle.failed(address)
  return throttle.pauseFor(address)
}

describe('failed log-ins', () => {
  it('cost nothing three times, then twice as much each time, up to 16 s', () => {
    const throttle = new Throttle()

    const pauses = Array.from({ length: 12 }, () => failing(throttle, '192.0.2.1', 1))

    assert.deepEqual(pauses, [0, 0, 500, 1000, 2000, 4000, 8000, 16000, 16000, 16000, 16000, 16000])
    assert.equal(throttle.pauseFor('192.0.2.2'), 0)
  })

  it('are counted for a whole /64 of IPv6, and for an IPv4 address however it is written', () => {
    const throttle = new Throttle()

    assert.equal(failing(throttle, '2001:db8:0:1::1', 3), 500)
    assert.equal(throttle.pauseFor('2001:db8:0:1:ffff::7'), 500)
    assert.equal(throttle.pauseFor('2001:db8:0:2::1'), 0)
    assert.equal(failing(throttle, '::ffff:192.0.2.1', 3), 500)
    assert.equal(throttle.pauseFor('192.0.2.1'), 500)
  })

  it('are forgotten after a right one, and after 15 minutes', () => {
    let now = 0
    const throttle = new Throttle(() => now)
    failing(throttle, '192.0.2.1', 5)
    failing(throttle, '192.0.2.2', 5)

    throttle.succeeded('192.0.2.1')
    assert.deepEqual([throttle.pauseFor('192.0.2.1'), throttle.pauseFor('192.0.2.2')], [0, 2000])
    now = 900_000
    assert.equal(throttle.pauseFor('192.0.2.2'), 0)
  })

  it('let four of a source wait at the same time', () => {
    const throttle = new Throttle()
    failing(throttle, '192.0.2.1', 3)

    const places = Array.from({ length: 5 }, () => throttle.enter('192.0.2.1'))

    assert.deepEqual(
      places.map((leave) => leave !== undefined),
      [true, true, true, true, false],
    )
    places[0]?.()
    assert.ok(throttle.enter('192.0.2.1'))
  })

  it('are not needed for a limit: sixteen of a source are checked at the same time', () => {
    const throttle = new Throttle()

    const places = Array.from({ length: 17 }, () => throttle.enter('192.0.2.1'))

    assert.equal(places.filter((leave) => leave !== undefined).length, 16)
    assert.ok(throttle.enter('192.0.2.2'))
    for (const leave of places) leave?.()
    assert.ok(throttle.enter('192.0.2.1'))
  })

  it('of many addresses are remembered to a limit: the oldest go first', () => {
    const throttle = new Throttle()
    for (let count = 0; count < 10_001; count++) failing(throttle, `10.0.${count >> 8}.${count & 255}`, 3)

    assert.deepEqual([throttle.pauseFor('10.0.0.0'), throttle.pauseFor('10.0.0.1')], [0, 500])
  })
})
