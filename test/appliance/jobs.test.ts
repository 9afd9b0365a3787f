import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CronTime } from 'cron'
import { cronTimeOf, startJobs } from '../../appliance/jobs.ts'
import { createLog } from '../../appliance/log.ts'

describe('interval of a job', () => {
  const gap_s = (every_s: number) => {
    const [first, second] = new CronTime(cronTimeOf(every_s), 'UTC').sendAt(2)
    return second && first ? (second.toMillis() - first.toMillis()) / 1000 : undefined
  }

  for (const every_s of [1, 5, 30, 60, 120, 600, 3600, 7200]) {
    it(`of ${every_s} s is ${every_s} s`, () => {
      assert.equal(gap_s(every_s), every_s)
    })
  }
})

describe('jobs', () => {
  it('go on after one that failed, which is logged', async () => {
    const { promise: ranAgain, resolve } = Promise.withResolvers<void>()
    const lines: string[] = []
    let runs = 0
    const job = {
      name: 'flaky',
      every_s: 1,
      run: async () => {
        runs += 1
        if (runs === 1) throw new Error('no luck')
        resolve()
      },
    }

    const stop = startJobs(
      [job],
      createLog('info', (line) => lines.push(line)),
    )
    await ranAgain
    stop()

    const [line] = lines.map((text) => JSON.parse(text))
    assert.deepEqual([line.message, line.job, line.reason], ['job failed', 'flaky', 'no luck'])
  })

  it('never run with an interval of 0', () => {
    const stop = startJobs([{ name: 'never', every_s: 0, run: () => assert.fail('it ran') }], createLog('error'))

    stop()
  })
})
