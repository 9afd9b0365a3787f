/** How the registry mirror is, for whoever watches the box. */
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { describe, it } from 'node:test'
import { mirrorHealth } from '../../../appliance/serve/health.ts'

const upstream = { url: 'https://quay.io/', hits: 0, misses: 0, stale: 0, blob_bytes: 0 }

describe('the registry in /healthz', () => {
  it('is healthy without its upstreams, and tells of those that it is without', async () => {
    const health = await mirrorHealth(tmpdir(), [
      { ...upstream, name: 'docker.io', state: 'up' },
      { ...upstream, name: 'quay.io', state: 'unreachable', reason: 'connection refused' },
      { ...upstream, name: 'ghcr.io', state: 'slow' },
    ])

    assert.deepEqual(health, {
      healthy: true,
      message: 'upstream quay.io is unreachable: connection refused; upstream ghcr.io is slow',
    })
    assert.deepEqual(await mirrorHealth(tmpdir(), [{ ...upstream, name: 'docker.io', state: 'up' }]), { healthy: true })
  })

  it('is unhealthy when nothing can be kept', async () => {
    const { healthy, message } = await mirrorHealth('/nowhere/registry', [])

    assert.equal(healthy, false)
    assert.equal(
      message,
      "/nowhere/registry cannot be written: ENOENT: no such file or directory, access '/nowhere/registry'",
    )
  })
})
