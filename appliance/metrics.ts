/** What the appliance counts, for Prometheus. Values of other rooms are read when somebody asks. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = {
  readonly registry: Registry
  /** A gauge that is read when somebody asks for the metrics: a number for each value of `label`. */
  gauge(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void
  countBytes(kind: 'image' | 'boot', bytes: number): void
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
    countBytes: (kind, count) => bytes.inc({ kind }, count),
    observeRequest: (method, code, duration_s) => requests.observe({ method, code: String(code) }, duration_s),
    countDeploy: (result) => deploys.inc({ result }),
    countCleaning: (result) => cleanings.inc({ result }),
  }
}
