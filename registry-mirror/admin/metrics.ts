/** Metrics of the registry, as text for Prometheus. State of other modules is read at each request. */
import type { ServerResponse } from 'node:http'
import type { Maintenance } from '../gc/maintenance.ts'
import type { Storage } from '../storage/storage.ts'
import type { UpstreamStatus } from '../upstream/upstream.ts'

export type Measured = { storage: Storage; maintenance: Maintenance; upstreams: () => readonly UpstreamStatus[] }
type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]
type Family = { name: string; type: 'counter' | 'gauge'; help: string; samples: readonly Sample[] }

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
/** Age at which all content is counted anew. */
const COUNT_AGE_MS = 60_000
const MIB = 1024 * 1024
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

export class RegistryMetrics {
  readonly #requests = new Map<string, number>()
  #sent_bytes = 0

  countBytes = (bytes: number): void => {
    this.#sent_bytes += bytes
  }

  /** Counts an answer once it is finished or cut. */
  countAnswer(response: ServerResponse): void {
    response.once('close', () => {
      // A method is the client's own word: it must not make metrics without end.
      const method = METHODS.includes(response.req.method ?? '') ? response.req.method : 'other'
      const key = `${method} ${response.statusCode}`
      this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1)
    })
  }

  async render({ storage, maintenance, upstreams }: Measured): Promise<string> {
    const one = (value: number): Sample[] => [[{}, value]]
    const families: Family[] = [
      {
        name: 'requests_total',
        type: 'counter',
        help: 'Requests that were answered.',
        samples: [...this.#requests].map(([key, value]) => {
          const [method = '', code = ''] = key.split(' ')
          return [{ method, code }, value]
        }),
      },
      { name: 'sent_bytes_total', type: 'counter', help: 'Bytes of content sent.', samples: one(this.#sent_bytes) },
      {
        name: 'content_bytes',
        type: 'gauge',
        help: 'Bytes of content on the disk.',
        samples: one(await maintenance.usedBytes(COUNT_AGE_MS)),
      },
      { name: 'quota_bytes', type: 'gauge', help: 'The quota; 0: none.', samples: one(maintenance.config.quota * MIB) },
      { name: 'uploads', type: 'gauge', help: 'Uploads under way.', samples: one(storage.uploads.underWay) },
      ...familiesOfJobs(maintenance),
      ...familiesOfUpstreams(upstreams()),
    ]
    return families.map(renderFamily).join('')
  }
}

function familiesOfJobs({ jobs }: Maintenance): Family[] {
  const ran = jobs.states.filter(({ last_run }) => last_run !== undefined)
  const seconds = (iso = '') => Math.floor(Date.parse(iso) / 1000)
  return [
    {
      name: 'job_last_run_timestamp_seconds',
      type: 'gauge',
      help: 'When a job ran last.',
      samples: ran.map(({ name, last_run }) => [{ job: name }, seconds(last_run)]),
    },
    {
      name: 'job_failed',
      type: 'gauge',
      help: '1: the last run of a job failed.',
      samples: ran.map(({ name, failed }) => [{ job: name }, failed ? 1 : 0]),
    },
  ]
}

function familiesOfUpstreams(upstreams: readonly UpstreamStatus[]): Family[] {
  const of = (value: (upstream: UpstreamStatus) => number): Sample[] =>
    upstreams.map((upstream) => [{ upstream: upstream.name }, value(upstream)])
  const help = (what: string) => `${what}, by upstream.`
  return [
    {
      name: 'upstream_up',
      type: 'gauge',
      help: help('1: it answers as it should'),
      samples: of(({ state }) => (state === 'up' ? 1 : 0)),
    },
    {
      name: 'hits_total',
      type: 'counter',
      help: help('Pulls answered from the disk'),
      samples: of(({ hits }) => hits),
    },
    {
      name: 'misses_total',
      type: 'counter',
      help: help('Pulls that had to ask'),
      samples: of(({ misses }) => misses),
    },
    { name: 'stale_total', type: 'counter', help: help('Stale answers'), samples: of(({ stale }) => stale) },
    {
      name: 'upstream_received_bytes_total',
      type: 'counter',
      help: help('Bytes of blobs that came'),
      samples: of(({ blob_bytes }) => blob_bytes),
    },
  ]
}

function renderFamily({ name, type, help, samples }: Family): string {
  if (samples.length === 0) return ''
  const full = `rackstrap_registry_${name}`
  const lines = samples.map(([labels, value]) => `${full}${renderLabels(labels)} ${value}`)
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...lines, ''].join('\n')
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}
