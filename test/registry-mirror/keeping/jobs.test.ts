/** When jobs run by themselves, by a clock that the test turns. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { type Job, Jobs } from '../../../registry-mirror/keeping/jobs.ts'
import { type LogLine, logTo } from '../registry.ts'
import { openFolder } from './filled-storage.ts'

const NOON = Date.parse('2026-11-25T12:00:00Z')
const MINUTE = 60_000
const DAY = 86_400_000

async function jobsAt(t: TestContext, job: Partial<Job> = {}, lastRun?: string) {
  const storage = await openFolder(t)
  if (lastRun) await storage.state.ran('tidy', { last_run: lastRun, duration_s: 1, result: '', failed: false })
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: NOON })
  const lines: LogLine[] = []
  const jobs = new Jobs(storage.state, logTo(lines))
  let runs = 0
  const run = async () => ({ removed: ++runs })
  jobs.add({ name: 'tidy', interval_s: 86_400, run, ...job })
  return { jobs, lines, runs: () => runs, state: () => jobs.states[0] }
}

describe('a job', () => {
  it('runs an interval after its last run, also when the registry was started in between', async (t) => {
    const { runs, state } = await jobsAt(t, {}, '2026-11-25T06:00:00.000Z')

    assert.equal(state()?.next_run, '2026-11-26T06:00:00.000Z')
    t.mock.timers.tick(18 * 60 * MINUTE - 1)
    assert.equal(runs(), 0)
    t.mock.timers.tick(1)
    assert.equal(runs(), 1)
  })

  it('that was due while the registry was down runs a minute after the start', async (t) => {
    const { state } = await jobsAt(t, {}, '2026-11-20T06:00:00.000Z')

    assert.equal(state()?.next_run, '2026-11-25T12:01:00.000Z')
  })

  it('that never ran does so within an hour', async (t) => {
    const { state } = await jobsAt(t)

    assert.equal(state()?.next_run, '2026-11-25T13:00:00.000Z')
  })

  it('whose last run lies in the future, by a clock that was wrong, runs an interval from now', async (t) => {
    const { state } = await jobsAt(t, {}, '2036-01-01T00:00:00.000Z')

    assert.equal(state()?.next_run, '2026-11-26T12:00:00.000Z')
  })

  it('can have an interval that no timer lasts for', async (t) => {
    const { runs } = await jobsAt(t, { interval_s: 60 * 86_400 }, '2026-11-25T12:00:00.000Z')

    t.mock.timers.tick(59 * DAY)
    assert.equal(runs(), 0)
    t.mock.timers.tick(DAY)
    assert.equal(runs(), 1)
  })

  it('with a cron expression runs by the clock, whatever its interval is, and when it ran last', async (t) => {
    // A time of day that is the same in every zone of whole hours.
    const { jobs, runs, state } = await jobsAt(t, { at: '30 * * * *' }, '2026-11-25T06:00:00.000Z')

    assert.deepEqual([state()?.at, state()?.next_run], ['30 * * * *', '2026-11-25T12:30:00.000Z'])
    t.mock.timers.tick(30 * MINUTE)
    assert.equal(runs(), 1)
    // The one that runs.
    await jobs.run('tidy')
    assert.equal(state()?.next_run, '2026-11-25T13:30:00.000Z')
    t.mock.timers.tick(60 * MINUTE)
    assert.equal(runs(), 2)
  })

  it('without an interval runs by hand alone', async (t) => {
    const { runs, state, jobs } = await jobsAt(t, { interval_s: 0 })

    t.mock.timers.tick(100 * DAY)

    assert.deepEqual([runs(), state()?.next_run], [0, undefined])
    assert.deepEqual(await jobs.run('tidy'), { removed: 1 })
    assert.equal(state()?.result, 'removed 1')
  })

  it('that fails says why, and runs again', async (t) => {
    const run = async () => {
      throw new Error('the disk cannot be read')
    }
    const { jobs, lines, state } = await jobsAt(t, { run })

    await assert.rejects(jobs.run('tidy'), { message: 'the disk cannot be read' })

    const { failed, result, next_run } = state() ?? {}
    assert.deepEqual([failed, result, next_run], [true, 'the disk cannot be read', '2026-11-26T12:00:00.000Z'])
    assert.deepEqual(lines, [{ level: 'error', message: 'job failed', job: 'tidy', error: 'the disk cannot be read' }])
  })

  it('ends with the registry', async (t) => {
    const run: Job['run'] = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const { jobs, state } = await jobsAt(t, { run })
    const running = assert.rejects(jobs.run('tidy'))

    await jobs.close()

    await running
    assert.deepEqual([state()?.running, state()?.result], [false, 'stopped with the registry'])
  })
})
