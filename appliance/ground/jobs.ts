/**
 * What a program does by itself from time to time: each job with its last run, next run and result, and by hand as
 * well.
 */

/** Numbers, and names of what is being worked on, that somebody who waits may look at. */
export type Counts = Readonly<Record<string, number | string>>
export type Progress = (counts: Counts) => void
export type Run = { signal: AbortSignal; progress: Progress; options: Readonly<Record<string, number>> }

export type Schedule = {
  /** From the start of a run to the start of the next. 0: only by hand. */
  interval_s: number
  /** Cron expression, by this box's clock; counts before the interval. */
  at?: string
}

export type Job = Schedule & {
  /** The field's word, such as gc. */
  name: string
  /** @returns what it did, for the log and for who asks; nothing: the log has only failures */
  run(run: Run): Promise<Counts | undefined>
}

export type JobRecord = {
  /** ISO 8601; when it began. */
  last_run: string
  duration_s: number
  result: string
  failed: boolean
}

export type JobState = Schedule &
  Partial<JobRecord> & {
    name: string
    running: boolean
    progress?: Counts
    /** ISO 8601. */
    next_run?: string
  }

/** Where last runs are remembered over a restart. */
export type JobRecords = {
  lastRun(name: string): JobRecord | undefined
  ran(name: string, record: JobRecord): Promise<void>
}

type Log = Readonly<Record<'debug' | 'info' | 'error', (message: string, fields?: Record<string, unknown>) => void>>

export type JobsGiven = {
  /** Whose jobs they are, such as registry: for messages. */
  owner: string
  log: Log
  /** @returns milliseconds since 1970, later than `now` */
  nextByClock(at: string, now: number): number
  /** Left out: a restart forgets them. */
  records?: JobRecords
}

type Running = { ended: Promise<Counts>; progress: Counts; watchers: Set<Progress> }
type Entry = { job: Job; timer?: NodeJS.Timeout; next_run?: number; running?: Running }

/** Nothing starts by itself sooner after a start, unless its interval is shorter: a start has enough to do. */
const FIRST_AFTER_MS = 60_000
/** A job that never ran does so within an hour. */
const FIRST_WITHIN_MS = 3_600_000
/** What setTimeout can wait for at most. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

export class Jobs {
  readonly #given: JobsGiven
  readonly #records: JobRecords
  readonly #entries = new Map<string, Entry>()
  readonly #stop = new AbortController()

  constructor(given: JobsGiven) {
    this.#given = given
    this.#records = given.records ?? recordsInMemory()
  }

  /** From now on the job runs by the clock, or in its interval, counted from its last run, also across restarts. */
  add(job: Job): void {
    const entry: Entry = { job }
    this.#entries.set(job.name, entry)
    const { interval_s, at } = job
    if (at !== undefined) this.#waitForClock(entry, at)
    else if (interval_s > 0) this.#waitFor(entry, this.#firstRun(job.name, interval_s * 1000))
  }

  /** @returns milliseconds from now */
  #firstRun(name: string, interval_ms: number): number {
    const last = Date.parse(this.#records.lastRun(name)?.last_run ?? '')
    // A box that is often started anew must come to its first run, too.
    const wanted = Number.isNaN(last) ? FIRST_WITHIN_MS : last + interval_ms - Date.now()
    // A clock that went back must not keep the job from running.
    return Math.min(Math.max(wanted, FIRST_AFTER_MS), interval_ms)
  }

  #waitForClock(entry: Entry, at: string): void {
    const next_run = this.#given.nextByClock(at, Date.now())
    entry.next_run = next_run
    const look = () => {
      if (Date.now() < next_run) this.#wait(entry, next_run - Date.now(), look)
      else this.#runByItself(entry)
    }
    look()
  }

  /** No longer than that, also when the clock goes back meanwhile. */
  #waitFor(entry: Entry, wait_ms: number): void {
    const next_run = Date.now() + wait_ms
    entry.next_run = next_run
    let left_ms = wait_ms
    const look = () => {
      left_ms = Math.min(left_ms, next_run - Date.now())
      if (left_ms <= 0) return this.#runByItself(entry)
      const some_ms = Math.min(left_ms, LONGEST_WAIT_MS)
      left_ms -= some_ms
      this.#wait(entry, some_ms, look)
    }
    look()
  }

  #wait(entry: Entry, wait_ms: number, look: () => void): void {
    clearTimeout(entry.timer)
    if (!this.#stop.signal.aborted) entry.timer = setTimeout(look, Math.min(wait_ms, LONGEST_WAIT_MS)).unref()
  }

  #runByItself(entry: Entry): void {
    // How it ended is in the log and in the table.
    this.run(entry.job.name).catch(() => {})
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
      ...this.#records.lastRun(name),
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
    const isOver = this.#scheduleNext(entry)
    running.ended = this.#carryOut(entry.job, { signal: this.#stop.signal, progress, options }).finally(() => {
      delete entry.running
      isOver()
    })
    return running
  }

  /**
   * Counts from the start of this run.
   * @returns to be called when the run has ended: a time that came meanwhile is left out
   */
  #scheduleNext(entry: Entry): () => void {
    const { interval_s, at } = entry.job
    clearTimeout(entry.timer)
    if (at !== undefined) return () => this.#waitForClock(entry, at)
    if (interval_s <= 0) return () => {}
    const interval_ms = interval_s * 1000
    const began = Date.now()
    entry.next_run = began + interval_ms
    return () => this.#waitFor(entry, interval_ms - (Math.max(Date.now() - began, 0) % interval_ms))
  }

  async #carryOut(job: Job, run: Run): Promise<Counts> {
    const { log } = this.#given
    const last_run = new Date().toISOString()
    const began = performance.now()
    const note = async (result: string, failed: boolean): Promise<JobRecord> => {
      const duration_s = Math.round(performance.now() - began) / 1000
      const record = { last_run, duration_s, result, failed }
      // The run itself has ended, whatever the disk takes.
      await this.#records
        .ran(job.name, record)
        .catch((error: Error) => log.error('the result of a job cannot be kept', { error: error.message }))
      return record
    }
    try {
      const counts = await job.run(run)
      const result = Object.entries(counts ?? {}).map(([name, value]) => `${name} ${value}`)
      const { duration_s } = await note(result.join(', '), false)
      log[counts ? 'info' : 'debug']('job finished', { job: job.name, duration_s, ...counts })
      return counts ?? {}
    } catch (error) {
      const reason = run.signal.aborted ? `stopped with the ${this.#given.owner}` : (error as Error).message
      await note(reason, true)
      log.error('job failed', { job: job.name, reason, ...(!run.signal.aborted && { error }) })
      throw error
    }
  }

  /** Ends what runs, and waits for that. */
  async close(): Promise<void> {
    this.#stop.abort(new Error(`The ${this.#given.owner} stops.`))
    for (const { timer } of this.#entries.values()) clearTimeout(timer)
    await Promise.allSettled([...this.#entries.values()].map(({ running }) => running?.ended))
  }
}

function recordsInMemory(): JobRecords {
  const records = new Map<string, JobRecord>()
  return { lastRun: (name) => records.get(name), ran: async (name, record) => void records.set(name, record) }
}
