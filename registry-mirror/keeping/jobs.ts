/** What the registry does by itself from time to time: each job with its last run, next run and result, and by hand as well. */
import type { RegistryLog } from '../config.ts'
import { nextByClock, type Schedule } from './schedule.ts'
import type { JobRecord, KeepingState } from './state.ts'

/** Numbers, and names of what is being worked on, that somebody who waits may look at. */
export type Counts = Readonly<Record<string, number | string>>
export type Progress = (counts: Counts) => void
export type Run = { signal: AbortSignal; progress: Progress; options: Readonly<Record<string, number>> }

export type Job = Schedule & {
  /** The field's word, such as gc. */
  name: string
  /** @returns what it did, for the log and for who asks */
  run(run: Run): Promise<Counts>
}

export type JobState = Schedule & {
  name: string
  running: boolean
  progress?: Counts
  last_run?: string
  duration_s?: number
  result?: string
  failed?: boolean
  next_run?: string
}

type Running = { ended: Promise<Counts>; progress: Counts; watchers: Set<Progress> }
type Entry = { job: Job; timer?: NodeJS.Timeout; next_run?: number; running?: Running }

/** Nothing starts by itself sooner: a start has enough to do. */
const FIRST_AFTER_MS = 60_000
/** One that never ran yet does so within an hour. */
const FIRST_WITHIN_MS = 3_600_000
/** What setTimeout can wait for at most. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

export class Jobs {
  readonly #state: KeepingState
  readonly #log: RegistryLog
  readonly #entries = new Map<string, Entry>()
  readonly #stop = new AbortController()

  constructor(state: KeepingState, log: RegistryLog) {
    this.#state = state
    this.#log = log
  }

  /** From now on it runs by the clock, or in its interval, counted from its last run, also across restarts. */
  add(job: Job): void {
    const entry: Entry = { job }
    this.#entries.set(job.name, entry)
    this.#schedule(entry)
  }

  #schedule(entry: Entry, earliest = Date.now() + FIRST_AFTER_MS): void {
    const { name, interval_s, at } = entry.job
    if (this.#stop.signal.aborted) return
    if (at !== undefined) this.#waitFor(entry, nextByClock(at, Date.now()))
    if (at !== undefined || interval_s <= 0) return
    const last = Date.parse(this.#state.lastRun(name)?.last_run ?? '')
    // A box that is often started anew must come to its first run, too.
    const wanted = Number.isNaN(last) ? Date.now() + FIRST_WITHIN_MS : last + interval_s * 1000
    // A clock that went back must not keep it from running.
    this.#waitFor(entry, Math.max(earliest, Math.min(wanted, Date.now() + interval_s * 1000)))
  }

  #waitFor(entry: Entry, next_run: number): void {
    clearTimeout(entry.timer)
    entry.next_run = next_run
    const due = () => {
      if (Date.now() < next_run) return this.#waitFor(entry, next_run)
      // How it ended is in the log and in the table.
      this.run(entry.job.name).catch(() => {})
    }
    entry.timer = setTimeout(due, Math.min(next_run - Date.now(), LONGEST_WAIT_MS)).unref()
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()]
  }

  get states(): readonly JobState[] {
    return [...this.#entries.values()].map(({ job: { name, interval_s, at }, running, next_run }) => ({
      name,
      interval_s,
      ...(at !== undefined && { at }),
      running: running !== undefined,
      ...(running && { progress: running.progress }),
      ...this.#state.lastRun(name),
      ...(next_run !== undefined && { next_run: new Date(next_run).toISOString() }),
    }))
  }

  /** Now; when it runs already, that run is waited for and `options` are not heeded. @throws what the job throws */
  async run(name: string, options: Run['options'] = {}, progress: Progress = () => {}): Promise<Counts> {
    const entry = this.#entries.get(name)
    if (entry === undefined) throw new Error(`There is no job ${name}`)
    this.#stop.signal.throwIfAborted()
    const running = entry.running ?? this.#start(entry, options)
    running.watchers.add(progress)
    try {
      return await running.ended
    } finally {
      running.watchers.delete(progress)
    }
  }

  #start(entry: Entry, options: Run['options']): Running {
    const watchers = new Set<Progress>()
    const running: Running = { ended: Promise.resolve({}), progress: {}, watchers }
    entry.running = running
    const progress: Progress = (counts) => {
      running.progress = counts
      for (const watcher of watchers) watcher(counts)
    }
    running.ended = this.#carryOut(entry.job, { signal: this.#stop.signal, progress, options }).finally(() => {
      delete entry.running
      this.#schedule(entry)
    })
    return running
  }

  async #carryOut(job: Job, run: Run): Promise<Counts> {
    const last_run = new Date().toISOString()
    const began = performance.now()
    const note = async (result: string, failed: boolean): Promise<JobRecord> => {
      const duration_s = Math.round(performance.now() - began) / 1000
      const record = { last_run, duration_s, result, failed }
      // The run itself has ended, whatever the disk takes.
      await this.#state
        .ran(job.name, record)
        .catch((error: Error) => this.#log.error('the result of a job cannot be kept', { error: error.message }))
      return record
    }
    try {
      const counts = await job.run(run)
      const result = Object.entries(counts).map(([name, value]) => `${name} ${value}`)
      const { duration_s } = await note(result.join(', '), false)
      this.#log.info('job finished', { job: job.name, duration_s, ...counts })
      return counts
    } catch (error) {
      const reason = run.signal.aborted ? 'stopped with the registry' : (error as Error).message
      await note(reason, true)
      this.#log.error('job failed', { job: job.name, error: reason })
      throw error
    }
  }

  /** Ends what runs, and waits for that. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('The registry stops.'))
    for (const { timer } of this.#entries.values()) clearTimeout(timer)
    await Promise.allSettled([...this.#entries.values()].map(({ running }) => running?.ended))
  }
}
