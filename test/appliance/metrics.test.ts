/** What Prometheus is told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMetrics } from '../../appliance/metrics.ts'

const linesOf = async (metrics: ReturnType<typeof createMetrics>, name: string) =>
  (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(name))

describe('metrics', () => {
  it('count bytes by kind, deploys and cleanings by result, requests by method and code', async () => {
    const metrics = createMetrics()
    metrics.countBytes('image', 1000)
    metrics.countBytes('image', 24)
    metrics.countBytes('boot', 1)
    metrics.countDeploy('active')
    metrics.countDeploy('failed')
    metrics.countDeploy('failed')
    metrics.countCleaning('clean')
    metrics.observeRequest('GET', 200, 0.003)

    assert.deepEqual(await linesOf(metrics, 'rackstrap_served_bytes_total'), [
      'rackstrap_served_bytes_total{kind="image"} 1024',
      'rackstrap_served_bytes_total{kind="boot"} 1',
    ])
    assert.deepEqual(await linesOf(metrics, 'rackstrap_cleanings_total'), [
      'rackstrap_cleanings_total{result="clean"} 1',
    ])
    assert.deepEqual(await linesOf(metrics, 'rackstrap_deploys_total'), [
      'rackstrap_deploys_total{result="active"} 1',
      'rackstrap_deploys_total{result="failed"} 2',
    ])
    assert.deepEqual(await linesOf(metrics, 'rackstrap_api_request_duration_seconds_count'), [
      'rackstrap_api_request_duration_seconds_count{method="GET",code="200"} 1',
    ])
  })

  it('tell the worst of the event loop since they were asked before', async () => {
    const metrics = createMetrics()
    metrics.observeEventLoop(0.2, 0.001)
    metrics.observeEventLoop(0.001, 0.3)
    metrics.observeEventLoop(0.001, 0.002)

    const first = await linesOf(metrics, 'rackstrap_event_loop_busy_max_seconds')
    const second = await linesOf(metrics, 'rackstrap_event_loop_busy_max_seconds')

    assert.deepEqual(first, ['rackstrap_event_loop_busy_max_seconds 0.3'])
    assert.deepEqual(second, ['rackstrap_event_loop_busy_max_seconds 0'])
    assert.deepEqual(await linesOf(metrics, 'rackstrap_event_loop_delay_seconds_bucket{le="0.1"}'), [
      'rackstrap_event_loop_delay_seconds_bucket{le="0.1"} 2',
    ])
  })

  it('are read when somebody asks, and forget what is no more', async () => {
    const metrics = createMetrics()
    let states: Record<string, number> = { available: 2, deploying: 1 }
    metrics.gauge('rackstrap_nodes', 'Nodes by state.', 'state', () => states)
    const before = await linesOf(metrics, 'rackstrap_nodes')

    states = { active: 3 }
    const after = await linesOf(metrics, 'rackstrap_nodes')

    assert.deepEqual(before, ['rackstrap_nodes{state="available"} 2', 'rackstrap_nodes{state="deploying"} 1'])
    assert.deepEqual(after, ['rackstrap_nodes{state="active"} 3'])
  })

  it('are those of one appliance: a second one counts for itself', async () => {
    const [first, second] = [createMetrics(), createMetrics()]

    first.countDeploy('active')

    assert.equal((await linesOf(second, 'rackstrap_deploys_total')).length, 0)
  })

  it('tell of the process itself', async () => {
    assert.equal((await linesOf(createMetrics(), 'process_resident_memory_bytes ')).length, 1)
  })
})
