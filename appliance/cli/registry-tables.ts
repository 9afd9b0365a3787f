/** What the registry answers, as text for a terminal. */
import type { Counts, JobState, Listed, Status } from '@appliance/registry-mirror'
import { sizeText } from './progress.ts'

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

/** Columns as wide as their widest cell. */
function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('')
}

const shortTime = (iso: string | undefined) => iso?.replace(/\.\d+Z$/, 'Z') ?? '-'

export function renderList(list: readonly Listed[]): string {
  if (list.length === 0) return 'Nothing is kept there.\n'
  const rows = list.map(({ repository, tag, digest, size_bytes, origin, pinned, last_used }) => [
    tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`,
    sizeText(size_bytes),
    origin,
    pinned ? 'yes' : 'no',
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
  jobs,
  upstreams,
}: Status): string {
  const quota = quota_bytes === 0 ? 'no quota' : `of ${sizeText(quota_bytes)}`
  const facts = [
    `Storage       ${storage_path}`,
    `Content       ${sizeText(used_bytes)}, ${quota}`,
    `Repositories  ${repositories}`,
    `Uploads       ${uploads} under way`,
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

function renderJob({ name, running, progress, last_run, next_run, failed, result }: JobState): string[] {
  const told = running ? `running: ${renderCounts(progress ?? {})}` : `${failed ? 'failed: ' : ''}${result ?? '-'}`
  return [name, shortTime(last_run), shortTime(next_run), told]
}
