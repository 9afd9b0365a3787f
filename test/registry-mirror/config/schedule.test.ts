/** Cron expressions as an operator writes them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nextByClock, parseSchedule, scheduleFor } from '../../../registry-mirror/config/schedule.ts'

const EXPECTED = 'expected minute, hour, day, month and weekday, such as 0 3 * * * (each day at three).'
const config = { gc_interval: 60, scrub_interval: 0, sync_interval: 0 }

describe('a cron expression', () => {
  for (const at of ['0 3 * * *', '*/5 * * * *', '0 3 * * 7', '30 2 1,15 * *', '0 3 29 2 *'])
    it(`can be ${at}`, () => parseSchedule(at, (text) => new Error(text)))
  for (const at of ['daily', '@daily', '', '0 3 * *', '0 0 3 * * *', '60 3 * * *', '0 3 * * 8'])
    it(`cannot be '${at}'`, () =>
      assert.throws(() => scheduleFor({ ...config, gc_at: at }, 'gc'), {
        name: 'RegistryError',
        message: `[registry] gc_at is '${at}': ${EXPECTED}`,
      }))

  it('that never comes is refused', () => {
    assert.throws(() => scheduleFor({ ...config, scrub_at: '0 3 30 2 *' }, 'scrub'), {
      message: `[registry] scrub_at is '0 3 30 2 *', which never comes: ${EXPECTED}`,
    })
  })

  it('means the clock of this box', () => {
    const now = new Date(2026, 10, 25, 12, 0, 0)

    assert.equal(nextByClock('0 3 * * *', now.getTime()), new Date(2026, 10, 26, 3, 0, 0).getTime())
    assert.equal(nextByClock('0 12 * * *', now.getTime()), new Date(2026, 10, 26, 12, 0, 0).getTime())
  })

  it('counts before an interval', () => {
    assert.deepEqual(scheduleFor({ ...config, gc_at: '0 3 * * *' }, 'gc'), { interval_s: 60, at: '0 3 * * *' })
    assert.deepEqual(scheduleFor(config, 'gc'), { interval_s: 60 })
  })
})
