/** What the appliance counts, for Prometheus. Values of other rooms are read when somebody asks. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = {
  readonly registry: Registry
  /** A gauge that is read when somebody asks for the metrics: a number for each value of `label`. */
  gauge(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void
  /** The same with several labels. */
  samples<L extends string>(
    about: { name: string; help: string; labels: readonly L[] },
    read: () => Iterable<Readonly<Record<L, string>> & { value: number }>,
  ): void
  countBytes(kind: 'image' | 'boot', bytes: number): void
  /** @param busy_s  processor time of its thread since it was observed before */
  observeEventLoop(delay_s: number, busy_s: number): void
  observeRequest(method: string, code: number, duration_s: number): void
  countDeploy(result: 'active' | 'failed'): void
  countCleaning(result: 'clean' | 'failed'): void
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const bytes = new Counter({
    name: 'rackstrap_served_bytes_total',
    help: 'Bytes sent to machines, by kind.',
    labelNames: ['kind'],
    registers: [registry],
  })
  const delays = new Histogram({
    name: 'rackstrap_event_loop_delay_seconds',
    help: 'How late the event loop came to what was due, by the clock.',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [registry],
  })
  let busy_max_s = 0
  new Gauge({
    name: 'rackstrap_event_loop_busy_max_seconds',
    help: 'Most processor time that the event loop took before it came to the next thing, since the last scrape.',
    registers: [registry],
    collect() {
      this.set(busy_max_s)
      busy_max_s = 0
    },
  })
  const requests = new Histogram({
    name: 'rackstrap_api_request_duration_seconds',
    help: 'Time from an API request to its answer.',
    labelNames: ['method', 'code'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  })
  const deploys = new Counter({
    name: 'rackstrap_deploys_total',
    help: 'Deploys that ended, by result.',
    labelNames: ['result'],
    registers: [registry],
  })
  const cleanings = new Counter({
    name: 'rackstrap_cleanings_total',
    help: 'Cleanings that ended, by result.',
    labelNames: ['result'],
    registers: [registry],
  })
  return {
    registry,
    gauge: (name, help, label, read) => {
      new Gauge({
        name,
        help,
        labelNames: [label],
        registers: [registry],
        collect() {
          this.reset()
          for (const [of, value] of Object.entries(read())) this.set({ [label]: of }, value)
        },
      })
    },
    samples: ({ name, help, labels }, read) => {
      new Gauge({
        name,
        help,
        labelNames: labels,
        registers: [registry],
        collect() {
          this.reset()
          for (const { value, ...given } of read()) this.set(given as never, value)
        },
      })
    },
    countBytes: (kind, count) => bytes.inc({ kind }, count),
    observeEventLoop(delay_s, busy_s) {
      delays.observe(delay_s)
      busy_max_s = Math.max(busy_max_s, busy_s)
    },
    observeRequest: (method, code, duration_s) => requests.observe({ method, code: String(code) }, duration_s),
    countDeploy: (result) => deploys.inc({ result }),
    countCleaning: (result) => cleanings.inc({ result }),
  }
}
