/** The list of jobs as a table for a terminal. */
import type { JobState } from '@appliance/ground/jobs'
import { resultText } from './registry-tables.ts'
import { renderTable, shortTime } from './table.ts'

const UNITS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const

export function renderJobs(jobs: readonly JobState[]): string {
  const rows = jobs.map((job) => [
    job.name,
    whenText(job),
    shortTime(job.last_run),
    job.duration_s === undefined ? '-' : `${job.duration_s} s`,
    shortTime(job.next_run),
    resultText(job),
  ])
  return renderTable([['JOB', 'WHEN', 'LAST RUN', 'DURATION', 'NEXT RUN', 'RESULT'], ...rows])
}

/** An interval in the largest unit that fits: 5400 s are 90 min. */
function whenText({ at, interval_s }: JobState): string {
  if (at !== undefined) return at
  const [unit_s, unit] = UNITS.find(([size_s]) => interval_s % size_s === 0) ?? [1, 's']
  return interval_s === 0 ? 'by hand' : `every ${interval_s / unit_s} ${unit}`
}
