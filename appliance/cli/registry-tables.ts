/** Renders the answers of the registry for a terminal. */
import type { Counts, JobState } from '@appliance/ground/jobs'
import type { Listed, Status } from '@appliance/registry-mirror'
import { sizeText } from './progress.ts'
import { renderTable, shortTime } from './table.ts'

/** {blobs_removed: 2, bytes_freed: 2048} becomes `blobs removed 2, freed 2.0 KiB`. */
export function renderCounts(counts: Counts): string {
  return Object.entries(counts)
    .map(([name, value]) => {
      const isBytes = typeof value === 'number' && /(^|_)bytes(_|$)/.test(name)
      const words = isBytes ? name.replace(/_?bytes_?/, ' ') : name.replaceAll('_', ' ')
      return `${words.trim() || 'read'} ${isBytes ? sizeText(value) : value}`
    })
    .join(', ')
}

export function renderList(list: readonly Listed[]): string {
  if (list.length === 0) return 'Nothing is kept there.\n'
  const rows = list.map(({ repository, tag, digest, size_bytes, origin, pinned, held_by, last_used }) => [
    tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`,
    sizeText(size_bytes),
    origin,
    held_by ? 'held' : pinned ? 'yes' : 'no',
    shortTime(last_used),
  ])
  return renderTable([['IMAGE', 'SIZE', 'ORIGIN', 'PINNED', 'LAST USED'], ...rows])
}

export function renderStatus({
  storage_path,
  repositories,
  used_bytes,
  quota_bytes,
  uploads,
  pins,
  holds,
  jobs,
  upstreams,
}: Status): string {
  const quota = quota_bytes === 0 ? 'no quota' : `of ${sizeText(quota_bytes)}`
  const facts = [
    `Storage       ${storage_path}`,
    `Content       ${sizeText(used_bytes)}, ${quota}`,
    `Repositories  ${repositories}`,
    `Uploads       ${uploads} under way`,
    `Held          ${renderHolds(holds)}`,
    `Pinned        ${Object.keys(pins).sort().join(', ') || 'nothing'}`,
  ]
  const rows = jobs.map(renderJob)
  const jobTable = renderTable([['JOB', 'LAST RUN', 'NEXT RUN', 'RESULT'], ...rows])
  const upstreamTable = renderTable([
    ['UPSTREAM', 'STATE', 'HITS', 'MISSES', 'STALE', 'RECEIVED', 'REASON'],
    ...upstreams.map(renderUpstream),
  ])
  return [`${facts.join('\n')}\n`, jobTable, ...(upstreams.length > 0 ? [upstreamTable] : [])].join('\n')
}

/** Lists each image once: a hundred nodes may need the same one. */
function renderHolds(holds: Status['holds']): string {
  const owners = Object.values(holds)
  const images = new Set(owners.flat().map(({ repository, tag, digest }) => `${repository}:${tag ?? digest}`))
  if (images.size === 0) return 'nothing'
  const nodes = owners.length === 1 ? '1 node' : `${owners.length} nodes`
  return `${[...images].sort().join(', ')} (by ${nodes})`
}

function renderUpstream({
  name,
  state,
  hits,
  misses,
  stale,
  blob_bytes,
  reason,
}: Status['upstreams'][number]): string[] {
  return [name, state, String(hits), String(misses), String(stale), sizeText(blob_bytes), reason ?? '']
}

function renderJob(job: JobState): string[] {
  return [job.name, shortTime(job.last_run), shortTime(job.next_run), resultText(job)]
}

/** How the last run of a job ended, or how far the one is that is under way. */
export function resultText({ running, progress, failed, result, last_run }: JobState): string {
  if (running) return ['running', renderCounts(progress ?? {})].filter(Boolean).join(': ')
  if (last_run === undefined) return '-'
  return failed ? `failed: ${result}` : result || 'done'
}
