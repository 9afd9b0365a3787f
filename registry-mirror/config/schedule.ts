/** When something is to be done by itself: in an interval, or by the clock as cron has it. */
import type { Schedule } from '@appliance/ground/jobs'
import { CronTime } from 'cron'
import { RegistryError } from '../oci/errors.ts'
import type { RegistryConfig } from './config.ts'

type Job = 'gc' | 'scrub' | 'sync'
export type ScheduleOptions = `${Job}_interval` | `${Job}_at`

/** @throws RegistryError  what should say when does not */
export function scheduleFor(config: Pick<RegistryConfig, ScheduleOptions>, job: Job): Schedule {
  const { [`${job}_interval` as const]: interval_s, [`${job}_at` as const]: at } = config
  if (at === undefined) return { interval_s }
  parseSchedule(at, (text) => new RegistryError(`[registry] ${job}_at ${text}`))
  return { interval_s, at }
}

/** @throws what `wrong` makes of it, when it is none or never comes */
export function parseSchedule(at: string, wrong: (text: string) => Error): void {
  const expected = 'expected minute, hour, day, month and weekday, such as 0 3 * * * (each day at three)'
  if (at.trim().split(/\s+/).length !== 5 || !CronTime.validateCronExpression(at).valid)
    throw wrong(`is '${at}': ${expected}.`)
  try {
    nextByClock(at, Date.now())
  } catch {
    // Whatever it says of it: no day is like that.
    throw wrong(`is '${at}', which never comes: ${expected}.`)
  }
}

/** Milliseconds since 1970, later than `now`. */
export const nextByClock = (at: string, now: number): number =>
  new CronTime(at).getNextDateFrom(new Date(now)).toMillis()
