/** When heartbeats go out. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { describe, it } from 'node:test'
import { startHeartbeats } from '../../../../../pxe/ramdisk/agent/protocol/heartbeat.ts'
import type { HeartbeatAnswer } from '../../../../../pxe/ramdisk/agent/protocol/ironic-api.ts'

const TAKEN: HeartbeatAnswer = { accepted: true, status: 202, why: '' }
const REFUSED: HeartbeatAnswer = { accepted: false, status: 409, why: '409 Node is locked' }

/** Answers in turn; the last one stays. */
function heartbeats(
  timing: { timeout_s: number; least_interval_s?: number; first_retry_s?: number; retry_s?: number },
  answers: (HeartbeatAnswer | Error)[],
) {
  const events = new EventEmitter()
  const times: number[] = []
  const said: string[] = []
  const heartbeater = startHeartbeats({
    ...timing,
    random: () => 0,
    screen: { say: (text) => said.push(text), note() {}, progress() {} },
    async send() {
      times.push(performance.now())
      queueMicrotask(() => events.emit('beat'))
      const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? TAKEN
      if (answer instanceof Error) throw answer
      return answer
    },
  })
  return {
    ...heartbeater,
    times,
    said,
    async count(number: number) {
      const signal = AbortSignal.timeout(5000)
      while (times.length < number) await once(events, 'beat', { signal })
    },
    [Symbol.dispose]: heartbeater.stop,
  }
}
const gap = (times: readonly number[], index: number) => (times[index] ?? 0) - (times[index - 1] ?? 0)

describe('heartbeats', () => {
  it('begin at once, and go out after three to six tenths of the time that Ironic allows', async () => {
    using beats = heartbeats({ timeout_s: 0.5 }, [TAKEN])

    await beats.count(3)

    assert.ok(gap(beats.times, 1) >= 145 && gap(beats.times, 2) >= 145, String(beats.times))
  })

  it('go out soon when they are forced, but not in a burst', async () => {
    using beats = heartbeats({ timeout_s: 300, least_interval_s: 0.1 }, [TAKEN])
    await beats.count(1)

    beats.force()
    beats.force()
    await beats.count(2)
    beats.force()
    await beats.count(3)

    assert.ok(gap(beats.times, 1) >= 95 && gap(beats.times, 2) >= 95, String(beats.times))
    assert.equal(beats.times.length, 3)
  })

  it('that were forced while one was under way are not lost', async () => {
    using beats = heartbeats({ timeout_s: 300, least_interval_s: 0.05 }, [TAKEN])

    beats.force()
    await beats.count(2)

    assert.equal(beats.times.length, 2)
  })

  it('that were not taken are repeated, after a longer pause each time, and the reason is told once', async () => {
    using beats = heartbeats({ timeout_s: 300, first_retry_s: 0.02, retry_s: 0.05 }, [
      REFUSED,
      REFUSED,
      new Error('no route to host'),
      TAKEN,
    ])

    await beats.count(4)

    assert.ok(gap(beats.times, 1) >= 19 && gap(beats.times, 2) >= 39 && gap(beats.times, 3) >= 49, String(beats.times))

    assert.deepEqual(beats.said, [
      'Heartbeat not taken: 409 Node is locked. Trying again.',
      'Heartbeat not taken: no route to host. Trying again.',
    ])
  })
})
