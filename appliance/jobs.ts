/** What the appliance does by itself, by the clock: the cron table, and who runs it. */
import { CronJob } from 'cron'
import type { ConductorService } from './conductor/start.ts'
import type { Config } from './config/options.ts'
import { messageOf } from './errors.ts'
import type { Log } from './log.ts'

const DAY_S = 24 * 3600

export type Job = {
  name: string
  /** 0: never. From a minute on, whole minutes, up to a day. */
  every_s: number
  run(): Promise<void>
}

export function cronTable(conductor: ConductorService, config: Config['conductor']): Job[] {
  return [
    {
      name: 'check deadlines',
      every_s: config.check_provision_state_interval,
      run: () => conductor.checkDeadlines(),
    },
    { name: 'sync power states', every_s: config.sync_power_state_interval, run: () => conductor.syncPowerStates() },
  ]
}

/** @param mirror  one that has a certificate */
export const certificateJob = (mirror: { renewCertificate(): Promise<void> }): Job => ({
  name: 'renew certificate',
  every_s: DAY_S,
  run: () => mirror.renewCertificate(),
})

/** A run that takes longer than its interval is not overtaken by the next. @returns what stops them */
export function startJobs(jobs: readonly Job[], log: Log): () => void {
  const started = jobs
    .filter(({ every_s }) => every_s > 0)
    .map(({ name, every_s, run }) =>
      CronJob.from({
        cronTime: cronTimeOf(every_s),
        start: true,
        waitForCompletion: true,
        onTick: () =>
          run().catch((error: unknown) => log.error('job failed', { job: name, reason: messageOf(error), error })),
      }),
    )
  return () => {
    // Not waited for: what a run does is called off by whoever it asked to do it.
    for (const job of started) void job.stop()
  }
}

/** Six fields, seconds first. An interval that does not divide the minute or the hour runs a little more often than asked for. */
export function cronTimeOf(every_s: number): string {
  if (every_s >= DAY_S) return '0 0 0 * * *'
  if (every_s < 60) return `*/${every_s} * * * * *`
  const minutes = Math.round(every_s / 60)
  return minutes < 60 ? `0 */${minutes} * * * *` : `0 0 */${Math.min(23, Math.round(minutes / 60))} * * *`
}
