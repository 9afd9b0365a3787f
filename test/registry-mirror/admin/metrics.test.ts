/** The registry's own metrics. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pushImage, run } from '../gc/asking.ts'
import { testRegistry } from '../registry.ts'

describe('/metrics of a registry', () => {
  it('tells requests, bytes, content and jobs', async (t) => {
    const registry = await testRegistry(t, { quota: 1 })
    const { text, digest } = await pushImage(registry, 'app', 'v1')
    await registry.ask('GET', `/v2/app/manifests/${digest}`)
    await registry.ask('GET', '/v2/app/manifests/none')
    await run(registry, 'scrub')

    const { status, headers, body } = await registry.ask('GET', '/metrics')

    const lines = body.toString().split('\n')
    assert.deepEqual([status, headers['content-type']], [200, 'text/plain; version=0.0.4; charset=utf-8'])
    for (const line of [
      '# HELP rackstrap_registry_requests_total Requests that were answered.',
      '# TYPE rackstrap_registry_requests_total counter',
      'rackstrap_registry_requests_total{method="POST",code="201"} 2',
      'rackstrap_registry_requests_total{method="PUT",code="201"} 1',
      'rackstrap_registry_requests_total{method="GET",code="200"} 1',
      'rackstrap_registry_requests_total{method="GET",code="404"} 1',
      `rackstrap_registry_sent_bytes_total ${text.length}`,
      `rackstrap_registry_content_bytes ${1000 + 2 + text.length}`,
      'rackstrap_registry_quota_bytes 1048576',
      'rackstrap_registry_uploads 0',
      'rackstrap_registry_job_failed{job="scrub"} 0',
    ])
      assert.ok(lines.includes(line), `${line} is not in:\n${body}`)
  })

  it('is all there is beside /v2', async (t) => {
    const registry = await testRegistry(t)

    assert.equal((await registry.ask('POST', '/metrics')).status, 404)
    assert.equal((await registry.ask('GET', '/metrics/')).status, 404)
  })
})
