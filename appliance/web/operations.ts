/** /healthz and /metrics, for whoever watches the box. Never anything about a node's content. */
import { Hono } from 'hono'
import type { Metrics } from '../metrics.ts'

export type PartHealth = { healthy: boolean; message?: string }
/** Each part of the appliance by name, e.g. {dnsmasq: {healthy: false, message: '...'}}. */
export type Health = Readonly<Record<string, PartHealth>>

export type OperationsGiven = {
  health: () => Promise<Health>
  metrics: Metrics
  /** Metrics of parts that count for themselves, as text. */
  moreMetrics: () => Promise<string>
  version: string
}

export function createOperations(given: OperationsGiven): Hono {
  const app = new Hono()
  app.get('/healthz', async (context) => {
    const parts = await given.health()
    const healthy = Object.values(parts).every((part) => part.healthy)
    return context.json({ status: healthy ? 'ok' : 'unhealthy', version: given.version, parts }, healthy ? 200 : 503)
  })
  app.get('/metrics', async (context) => {
    const { registry } = given.metrics
    const text = `${await registry.metrics()}${await given.moreMetrics()}`
    return context.body(text, 200, { 'content-type': registry.contentType })
  })
  return app
}
