import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE, type Json, openRig } from './rig.ts'

describe('request bodies', () => {
  it('are refused unread when they are declared larger than [api] max_json_body_size', async (t) => {
    const { app } = await openRig(t, { api: { max_json_body_size: 4 } })
    let isRead = false
    const body = new ReadableStream(
      {
        pull(controller) {
          isRead = true
          controller.enqueue(new Uint8Array(1024))
        },
      },
      { highWaterMark: 0 },
    )

    const response = await app.request(`${BASE}/v1/nodes`, {
      method: 'POST',
      headers: { 'content-length': '10485760' },
      body,
      duplex: 'half',
    } as RequestInit)

    assert.equal(response.status, 413)
    assert.equal(isRead, false)
    assert.match(await response.text(), /at most 4 KiB are accepted here \(\[api\] max_json_body_size,/)
  })

  it('are read no further than the limit when their size was not declared', async (t) => {
    const { app } = await openRig(t, { api: { max_json_body_size: 4 } })
    let chunks = 0
    const body = new ReadableStream({
      pull(controller) {
        chunks += 1
        controller.enqueue(new Uint8Array(1024).fill(0x20))
        if (chunks === 10_000) controller.close()
      },
    })

    const request = { method: 'POST', body, duplex: 'half' } as RequestInit
    const response = await app.request(`${BASE}/v1/nodes`, request)

    assert.equal(response.status, 413)
    assert.ok(chunks < 10, `${chunks} chunks were read`)
  })

  it('of a provision request may be larger: a config drive is in them', async (t) => {
    const { ask } = await openRig(t, { api: { max_json_body_size: 1, max_json_body_size_provision: 64 } })
    const { body } = await ask('POST', '/v1/nodes', { driver: 'ipmi' })
    const configdrive = 'A'.repeat(32 * 1024)

    const provision = await ask('PUT', `/v1/nodes/${body.uuid}/states/provision`, { target: 'active', configdrive })
    const patch = await ask('PATCH', `/v1/nodes/${body.uuid}`, [{ op: 'add', path: '/extra/a', value: configdrive }])

    assert.equal(provision.status, 202)
    assert.equal(patch.status, 413)
  })

  it('of a config drive’s size are taken two at a time: others are told when to ask again, and small ones go on', async (t) => {
    const { app, ask } = await openRig(t)
    const uuid = String((await ask('POST', '/v1/nodes', { driver: 'ipmi' })).body.uuid)
    const path = `/v1/nodes/${uuid}/states/provision`
    const slow = () => {
      const { promise: isHeld, resolve } = Promise.withResolvers<void>()
      const text = `{"target":"manage","configdrive":"${'A'.repeat(2 * 1024 * 1024)}"}`
      const { promise: rest, resolve: finish } = Promise.withResolvers<void>()
      const body = new ReadableStream({
        async pull(controller) {
          controller.enqueue(Buffer.from(text.slice(0, -1)))
          resolve()
          await rest
          controller.enqueue(Buffer.from('}'))
          controller.close()
        },
      })
      const headers = { 'X-OpenStack-Ironic-API-Version': '1.115' }
      const request = { method: 'PUT', headers, body, duplex: 'half' } as RequestInit
      return { isHeld, finish, answer: Promise.resolve(app.request(`${BASE}${path}`, request)) }
    }
    const first = [slow(), slow()]
    await Promise.all(first.map(({ isHeld }) => isHeld))

    const third = slow()
    third.finish()
    const refused = await third.answer
    const small = await ask('PUT', `/v1/nodes/${uuid}/maintenance`, { reason: 'a' })
    for (const { finish } of first) finish()
    const taken = await Promise.all(first.map(async ({ answer }) => (await answer).status))
    const later = slow()
    later.finish()

    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('retry-after'), '5')
    assert.match(
      await refused.text(),
      /The appliance is working on 2 requests with bodies of more than 1 MiB already, which is as much as it takes at once\. Ask again in 5 s\./,
    )
    assert.equal(small.status, 202)
    assert.deepEqual(taken, [400, 400], 'a config drive belongs to a deploy')
    assert.equal((await later.answer).status, 400)
  })

  it('of a stranger who sends them slowly take 4 MiB of the room, and no heartbeat of others has to wait', async (t) => {
    const { app } = await openRig(t)
    const heartbeat = (address: string, body: ReadableStream | string, bytes: number) =>
      app.request(
        `${BASE}/v1/heartbeat/9e1c7b9a-1b1e-4f5e-9a35-0d8f0b0f0c11`,
        {
          method: 'POST',
          headers: { 'X-OpenStack-Ironic-API-Version': '1.115', 'content-length': `${bytes}` },
          ...{ body, duplex: 'half' },
        } as RequestInit,
        { caller: { role: 'machine', address, via: 'tcp' } },
      )
    const { promise: isOver, resolve: end } = Promise.withResolvers<void>()
    const stall = () => {
      const { promise: isHeld, resolve } = Promise.withResolvers<void>()
      const body = new ReadableStream(
        {
          async pull(controller) {
            controller.enqueue(new Uint8Array(255 * 1024).fill(0x20))
            resolve()
            await isOver
            controller.close()
          },
        },
        { highWaterMark: 0 },
      )
      const answer = Promise.resolve(heartbeat('192.0.2.66', body, 256 * 1024))
      return { isHeld: Promise.race([isHeld, answer]), answer }
    }

    const stalled = Array.from({ length: 300 }, stall)
    await Promise.all(stalled.map(({ isHeld }) => isHeld))
    const other = await heartbeat('192.0.2.7', '{}', 2)
    end()
    const codes = (await Promise.all(stalled.map(({ answer }) => answer))).map(({ status }) => status)

    assert.equal(other.status, 400, 'a callback_url is missing')
    assert.deepEqual(
      [400, 503].map((code) => codes.filter((status) => status === code).length),
      [16, 284],
    )
  })

  it('that end before they are complete are the client’s fault, not an error of the appliance', async (t) => {
    const { app, lines } = await openRig(t)
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error('aborted')) })

    const request = { method: 'POST', body, duplex: 'half' } as RequestInit
    const response = await app.request(`${BASE}/v1/nodes`, request)

    assert.equal(response.status, 400)
    assert.match(await response.text(), /The request ended before its body was complete\./)
    assert.deepEqual(
      lines.filter(({ level }) => level === 'error'),
      [],
    )
  })

  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  const refused: readonly { what: string; body: string; fault: string }[] = [
    {
      what: 'broken JSON',
      body: '{"driver_info": {"password": "hunter2"',
      fault: 'The request body is not valid JSON.',
    },
    {
      what: 'a list for an object',
      body: '[]',
      fault: 'Schema error for node: it is a list: expected an object',
    },
    {
      what: 'JSON nested too deeply',
      body: nested(30),
      fault: 'Request body JSON is nested too deeply (limit: 25 levels).',
    },
    {
      what: 'JSON nested so deeply that it would exhaust the stack',
      body: nested(100_000),
      fault: 'Request body JSON is nested too deeply (limit: 25 levels).',
    },
    {
      what: 'more values than the largest inventory',
      body: `{"driver":"ipmi","extra":{"a":[${'1,'.repeat(10_000)}1]}}`,
      fault:
        'The request body is more than the appliance takes: it holds more than 10000 values. Send less of it at once.',
    },
    {
      what: 'a number without end',
      body: `{"driver":"ipmi","extra":{"a":1.${'0'.repeat(100_000)}1}}`,
      fault:
        'The request body is more than the appliance takes: it holds a number of more than 4300 characters. Send less of it at once.',
    },
    {
      what: '__proto__',
      body: '{"driver":"ipmi","extra":{"__proto__":{}}}',
      fault: "'__proto__' is not accepted as a key.",
    },
    { what: 'nothing', body: '', fault: "Schema error for node: 'driver' is a required property" },
    {
      what: 'an unknown field',
      body: '{"driver":"ipmi","drive_info":{}}',
      fault: "Schema error for node: Additional properties are not allowed ('drive_info' was unexpected)",
    },
    {
      what: 'a field that is only read',
      body: '{"driver":"ipmi","provision_state":"active"}',
      fault: "Schema error for node: Additional properties are not allowed ('provision_state' was unexpected)",
    },
    {
      what: 'a wrong type',
      body: '{"driver":["ipmi"]}',
      fault: 'Schema error for node: driver is a list: expected a string',
    },
    {
      what: 'a wrong type of an object',
      body: '{"driver":"ipmi","properties":"cpus=4"}',
      fault: "Schema error for node: properties is 'cpus=4': expected an object",
    },
    {
      what: 'a boolean that is none',
      body: '{"driver":"ipmi","retired":"perhaps"}',
      fault: "Schema error for node: retired is 'perhaps': expected true or false",
    },
    {
      what: 'a UUID that is none',
      body: '{"driver":"ipmi","uuid":"1234"}',
      fault: "Schema error for node: uuid is '1234': expected a UUID",
    },
  ]
  for (const { what, body, fault } of refused) {
    it(`that hold ${what} are refused, and the answer says where`, async (t) => {
      const { ask, store } = await openRig(t)

      const answer = await ask('POST', '/v1/nodes', body)

      assert.equal(answer.status, 400)
      assert.equal(answer.fault, fault)
      assert.equal(store.nodes.size, 0)
    })
  }

  it('that are lists where an object belongs are refused in the same words', async (t) => {
    const { ask } = await openRig(t)
    await ask('POST', '/v1/nodes', { driver: 'fake-hardware', name: 'n1' })

    const maintenance = await ask('PUT', '/v1/nodes/n1/maintenance', [])
    const patch = await ask('PATCH', '/v1/nodes/n1', [1])

    assert.equal(maintenance.fault, 'Schema error for maintenance: it is a list: expected an object')
    assert.equal(patch.fault, 'Schema error for patch: 0 is 1: expected an object')
  })

  it('never see a secret of theirs again in the answer', async (t) => {
    const { ask } = await openRig(t)
    const body: Json = { callback_url: 'https://10.0.0.9:9999', agent_token: { is: 'hunter2' } }

    const { status, text, fault } = await ask('POST', '/v1/heartbeat/9e1c7b9a-1b1e-4f5e-9a35-0d8f0b0f0c11', body)

    assert.equal(status, 400)
    assert.equal(fault, 'Schema error for heartbeat: agent_token is an object: expected a string')
    assert.ok(!text.includes('hunter2'))
  })
})
