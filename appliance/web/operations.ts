/** /healthz, /metrics and /ca.crt, for whoever watches or trusts the box. Shows nothing of a node's content. */
import { Hono } from 'hono'
import type { Metrics } from '../metrics.ts'

export type PartHealth = { healthy: boolean; message?: string }
/** Each part of the appliance by name, e.g. {dnsmasq: {healthy: false, message: '...'}}. */
export type Health = Readonly<Record<string, PartHealth>>

export type OperationsGiven = {
  health: () => Promise<Health>
  metrics: Metrics
  /** Metrics that other rooms count themselves, as text. */
  moreMetrics: () => Promise<string>
  version: string
  /** PEM: what clients of the registry mirror need to trust it; undefined: nothing. */
  ca: () => string | undefined
}

export const CA_PATH = '/ca.crt'
// RFC 8555 section 9.1
export const CA_TYPE = 'application/pem-certificate-chain'

/** Bindings of a request: who asks. */
export type OperationsEnv = { Bindings: { caller?: { role: string } } }

export function createOperations(given: OperationsGiven): Hono<OperationsEnv> {
  const app = new Hono<OperationsEnv>()
  app.get('/healthz', async (context) => {
    const parts = await given.health()
    const healthy = Object.values(parts).every((part) => part.healthy)
    const status = healthy ? 'ok' : 'unhealthy'
    // Whoever has not logged in learns whether the box is well, as a load balancer needs it, and no more.
    const isStranger = context.env?.caller?.role === 'machine'
    const told = isStranger ? { status } : { status, version: given.version, parts }
    return context.json(told, healthy ? 200 : 503)
  })
  app.get('/metrics', async (context) => {
    const { registry } = given.metrics
    const text = `${await registry.metrics()}${await given.moreMetrics()}`
    return context.body(text, 200, { 'content-type': registry.contentType })
  })
  app.get(CA_PATH, (context) => {
    const ca = given.ca()
    if (ca === undefined) return context.text('The registry mirror has no CA of its own to be trusted.\n', 404)
    return context.body(ca, 200, { 'content-type': CA_TYPE })
  })
  return app
}
