import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Unauthorized } from '../../../appliance/access/refusals.ts'
import { createFace } from '../../../appliance/api/face.ts'
import type { Log } from '../../../appliance/log.ts'
import { createMetrics } from '../../../appliance/metrics.ts'
import { keptLog } from '../records/state-folder.ts'

const AGENT = `/agent/~${'A'.repeat(32)}`

/** A listener with users, that nobody has logged in to. */
function ask(path: string, given: { refusal?: Error; log?: Log } = {}): Promise<Response> {
  const { refusal = new Unauthorized('Authorization required'), log = keptLog().log } = given
  const login = {
    async check(): Promise<never> {
      throw refusal
    },
  }
  const door = { login, isOwnHost: () => true, origins: [], isSecure: true }
  const face = createFace((_, { caller }) => Response.json(caller.role), door, { log, metrics: createMetrics() })
  const incoming = { rawHeaders: ['Host', 'box:6385'], url: path, socket: { remoteAddress: '192.0.2.9' } }
  return face(new Request(`https://box:6385${path}`), incoming, 'tcp')
}

describe("the operator's listener with users", () => {
  it('lets an agent through that brings the number of its boot, as [deploy] external_callback_url sends it', async () => {
    for (const path of ['/v1/lookup?addresses=52:54:00:12:34:56', '/v1/heartbeat/abc-1', '/', '/v1']) {
      const answer = await ask(AGENT + path)

      assert.deepEqual([answer.status, await answer.json()], [200, 'machine'], path)
    }
  })

  it('has everybody else log in, whatever number is before the path', async () => {
    const twice = `${AGENT}${AGENT}/v1/lookup`
    for (const path of [`${AGENT}/v1/nodes`, `${AGENT}/metrics`, twice, '/agent/~short/v1/lookup', '/v1/nodes'])
      assert.equal((await ask(path)).status, 401, path)
  })

  it('answers a fault of its own as the API does, and the log says which', async () => {
    const { log, lines } = keptLog()

    const answer = await ask('/v1/nodes', { refusal: new Error('perl cannot check a password'), log })

    assert.equal(answer.status, 500)
    assert.deepEqual(JSON.parse(((await answer.json()) as { error_message: string }).error_message), {
      ...{ faultcode: 'Server', debuginfo: null },
      faultstring: 'The appliance failed to find out who asks. Its log says why.',
    })
    const [fault, request] = lines
    assert.deepEqual([fault?.level, fault?.message, fault?.path], ['error', 'the door of the api failed', '/v1/nodes'])
    assert.match(JSON.stringify(fault), /perl cannot check a password/)
    assert.equal(request?.code, 500)
  })
})
