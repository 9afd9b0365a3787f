import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMetrics } from '../../../appliance/metrics.ts'
import { createOperations, type Health } from '../../../appliance/web/operations.ts'

function operations(health: () => Promise<Health>) {
  const metrics = createMetrics()
  return {
    metrics,
    app: createOperations({
      health,
      metrics,
      moreMetrics: async () => 'registry_up 1\n',
      version: '0.1.0',
      ca: () => undefined,
    }),
  }
}

describe('/healthz', () => {
  it('is 200 while every part is healthy', async () => {
    const { app } = operations(async () => ({ store: { healthy: true }, pxe: { healthy: true } }))

    const response = await app.request('/healthz')

    assert.equal(response.status, 200)
    assert.deepEqual(await response.json(), {
      status: 'ok',
      version: '0.1.0',
      parts: { store: { healthy: true }, pxe: { healthy: true } },
    })
  })

  it('is 503 when one is not, and says which and why', async () => {
    const message = 'dnsmasq ended with status 2: address already in use'
    const { app } = operations(async () => ({ store: { healthy: true }, pxe: { healthy: false, message } }))

    const response = await app.request('/healthz')

    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), {
      status: 'unhealthy',
      version: '0.1.0',
      parts: { store: { healthy: true }, pxe: { healthy: false, message } },
    })
  })
})

describe('/metrics', () => {
  it('gives what was counted, and what is read when asked, for Prometheus', async () => {
    const { app, metrics } = operations(async () => ({}))
    metrics.countBytes('image', 1024)
    metrics.countDeploy('active')
    metrics.observeRequest('GET', 200, 0.003)
    let states: Record<string, number> = { active: 1 }
    metrics.gauge('rackstrap_nodes', 'Nodes, by provision_state.', 'provision_state', () => states)
    states = { available: 2 }

    const response = await app.request('/metrics')

    const lines = (await response.text()).split('\n')
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
    for (const line of [
      'rackstrap_served_bytes_total{kind="image"} 1024',
      'rackstrap_deploys_total{result="active"} 1',
      'rackstrap_api_request_duration_seconds_bucket{le="0.005",method="GET",code="200"} 1',
      'rackstrap_nodes{provision_state="available"} 2',
      'registry_up 1',
    ]) {
      assert.ok(lines.includes(line), line)
    }
    assert.ok(!lines.some((line) => line.includes('provision_state="active"')))
  })
})
