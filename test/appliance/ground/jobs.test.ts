/** When jobs run by themselves, by a clock that the test turns. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { type Job, type JobRecord, Jobs } from '../../../appliance/ground/jobs.ts'
import { nextByClock } from '../../../registry-mirror/index.ts'

const NOON = Date.parse('2026-11-25T12:00:00Z')
const MINUTE = 60_000
const DAY = 86_400_000

type LogLine = { level: string; message: string; [field: string]: unknown }

function jobsAt(t: TestContext, job: Partial<Job> = {}, lastRun?: string) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: NOON })
  const remembered = new Map<string, JobRecord>()
  if (lastRun) remembered.set('tidy', { last_run: lastRun, duration_s: 1, result: '', failed: false })
  const records = {
    lastRun: (name: string) => remembered.get(name),
    ran: async (name: string, record: JobRecord) => void remembered.set(name, record),
  }
  const lines: LogLine[] = []
  const at = (level: string) => (message: string, fields?: object) => void lines.push({ level, message, ...fields })
  const log = { debug: at('debug'), info: at('info'), error: at('error') }
  const jobs = new Jobs({ owner: 'registry', log, nextByClock, records })
  const starts: number[] = []
  const run = async () => ({ removed: starts.push(Date.now()) })
  jobs.add({ name: 'tidy', interval_s: 86_400, run, ...job })
  return { jobs, lines, starts, runs: () => starts.length, state: () => jobs.states[0] }
}

/** Turns the clock second by second, so that what a run sets off comes to its turn. */
async function pass(t: TestContext, seconds: number) {
  for (let at = 0; at < seconds; at++) {
    t.mock.timers.tick(1000)
    await new Promise(setImmediate)
  }
}

describe('a job', () => {
  it('runs an interval after its last run, also when the registry was started in between', async (t) => {
    const { runs, state } = jobsAt(t, {}, '2026-11-25T06:00:00.000Z')

    assert.equal(state()?.next_run, '2026-11-26T06:00:00.000Z')
    t.mock.timers.tick(18 * 60 * MINUTE - 1)
    assert.equal(runs(), 0)
    t.mock.timers.tick(1)
    assert.equal(runs(), 1)
  })

  it('that was due while the registry was down runs a minute after the start', async (t) => {
    const { state } = jobsAt(t, {}, '2026-11-20T06:00:00.000Z')

    assert.equal(state()?.next_run, '2026-11-25T12:01:00.000Z')
  })

  it('that never ran does so within an hour', async (t) => {
    const { state } = jobsAt(t)

    assert.equal(state()?.next_run, '2026-11-25T13:00:00.000Z')
  })

  it('whose last run lies in the future, by a clock that was wrong, runs an interval from now', async (t) => {
    const { state } = jobsAt(t, {}, '2036-01-01T00:00:00.000Z')

    assert.equal(state()?.next_run, '2026-11-26T12:00:00.000Z')
  })

  it('can have an interval that no timer lasts for', async (t) => {
    const { runs } = jobsAt(t, { interval_s: 60 * 86_400 }, '2026-11-25T12:00:00.000Z')

    t.mock.timers.tick(59 * DAY)
    assert.equal(runs(), 0)
    t.mock.timers.tick(DAY)
    assert.equal(runs(), 1)
  })

  it('with a cron expression runs by the clock, whatever its interval is, and when it ran last', async (t) => {
    // A time of day that is the same in every zone of whole hours.
    const { jobs, runs, state } = jobsAt(t, { at: '30 * * * *' }, '2026-11-25T06:00:00.000Z')

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
    const { runs, state, jobs } = jobsAt(t, { interval_s: 0 })

    t.mock.timers.tick(100 * DAY)

    assert.deepEqual([runs(), state()?.next_run], [0, undefined])
    assert.deepEqual(await jobs.run('tidy'), { removed: 1 })
    assert.equal(state()?.result, 'removed 1')
  })

  it('that fails says why, and runs again', async (t) => {
    const run = async () => {
      throw new Error('the disk cannot be read')
    }
    const { jobs, lines, state } = jobsAt(t, { run })

    await assert.rejects(jobs.run('tidy'), { message: 'the disk cannot be read' })

    const { failed, result, next_run } = state() ?? {}
    assert.deepEqual([failed, result, next_run], [true, 'the disk cannot be read', '2026-11-26T12:00:00.000Z'])
    const [{ error, ...line } = { error: undefined }] = lines
    assert.deepEqual(line, { level: 'error', message: 'job failed', job: 'tidy', reason: 'the disk cannot be read' })
    assert.equal(error instanceof Error, true)
  })

  it('ends with the registry', async (t) => {
    const run: Job['run'] = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const { jobs, state } = jobsAt(t, { run })
    const running = assert.rejects(jobs.run('tidy'))

    await jobs.close()

    await running
    assert.deepEqual([state()?.running, state()?.result], [false, 'stopped with the registry'])
  })

  for (const interval_s of [5, 59, 60, 90, 5400])
    it(`with an interval of ${interval_s} s begins every ${interval_s} s`, async (t) => {
      const { starts } = jobsAt(t, { interval_s })

      await pass(t, Math.max(3 * interval_s, 130))

      const gaps = starts.slice(1).map((at, index) => (at - (starts[index] ?? 0)) / 1000)
      assert.equal(gaps.length >= 1, true)
      assert.deepEqual(new Set(gaps), new Set([interval_s]))
    })

  it('that takes longer than its interval is not overtaken: it leaves out what came meanwhile', async (t) => {
    const starts: number[] = []
    const run = async () => {
      starts.push((Date.now() - NOON) / 1000)
      await new Promise((done) => setTimeout(done, 25_000))
      return undefined
    }
    const { state } = jobsAt(t, { interval_s: 10, run })

    await pass(t, 30)
    const meanwhile = state()
    await pass(t, 20)

    assert.deepEqual(meanwhile?.running, true)
    assert.deepEqual(starts, [10, 40])
  })

  it('goes on in its interval when the clock goes back', async (t) => {
    const { runs } = jobsAt(t, { interval_s: 60 })

    t.mock.timers.setTime(NOON + 30_000)
    t.mock.timers.tick(30_000)

    assert.equal(runs(), 1)
  })

  it('has one run at a time, also by hand', async (t) => {
    const { jobs, runs } = jobsAt(t)

    const both = await Promise.all([jobs.run('tidy'), jobs.run('tidy')])

    assert.deepEqual([both, runs()], [[{ removed: 1 }, { removed: 1 }], 1])
  })

  it('that counts nothing is not in the log when it went well', async (t) => {
    const { jobs, lines, state } = jobsAt(t, { run: async () => undefined })

    await jobs.run('tidy')

    assert.deepEqual(
      lines.map(({ level }) => level),
      ['debug'],
    )
    assert.deepEqual([state()?.failed, state()?.result], [false, ''])
  })
})
