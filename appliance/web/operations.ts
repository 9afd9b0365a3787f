/** /healthz and /metrics, for whoever watches the box. Never anything about a node's content. */
import { Hono } from 'hono'
import type { Metrics } from '../metrics.ts'

export type PartHealth = { healthy: boolean; message?: string }
/** Each part of the appliance by name, e.g. {dnsmasq: {healthy: false, message: '...'}}. */
export type Health = Readonly<Record<string, PartHealth>>

export function createOperations(given: { health: () => Promise<Health>; metrics: Metrics; version: string }): Hono {
  const app = new Hono()
  app.get('/healthz', async (context) => {
    const parts = await given.health()
    const healthy = Object.values(parts).every((part) => part.healthy)
    return context.json({ status: healthy ? 'ok' : 'unhealthy', version: given.version, parts }, healthy ? 200 : 503)
  })
  app.get('/metrics', async (context) => {
    const { registry } = given.metrics
    return context.body(await registry.metrics(), 200, { 'content-type': registry.contentType })
  })
  return app
}
