import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Heartbeat } from '../../../appliance/conductor/conductor.ts'
import { FakeAgent } from './fake-agent.ts'
import { MAC, startTrial } from './trial.ts'

const NOT_FOUND = { name: 'NotFound', code: 404, message: 'Resource could not be found.' }

async function waiting(t: TestContext) {
  const trial = await startTrial(t)
  const agent = new FakeAgent({ mac: MAC })
  t.after(() => agent.close())
  const { uuid } = await trial.createNode()
  await trial.conductor.provision(uuid, { target: 'active' })
  await trial.untilState(uuid, 'wait call-back')
  return { trial, agent, uuid }
}

describe('lookup', () => {
  it('gives the token to the first who asks, and six stars to the second', async (t) => {
    const { trial, uuid } = await waiting(t)

    const first = await trial.conductor.lookup({ addresses: [MAC] })
    const second = await trial.conductor.lookup({ addresses: [MAC], node_uuid: uuid })

    assert.equal(first.node.uuid, uuid)
    assert.match(String(first.config.agent_token), /^[\w-]{43}$/)
    assert.equal(second.config.agent_token, '******')
    assert.equal(trial.node(uuid).driver_internal_info.agent_secret_token, first.config.agent_token)
  })

  it('gives one token when two ask at the same moment', async (t) => {
    const { trial } = await waiting(t)

    const answers = await Promise.all([1, 2, 3].map(() => trial.conductor.lookup({ addresses: [MAC] })))

    assert.equal(answers.filter(({ config }) => config.agent_token !== '******').length, 1)
  })

  it('gives nothing while the machine is off, and a new token when it was switched on again', async (t) => {
    const { trial, uuid } = await waiting(t)
    const first = await trial.conductor.lookup({ addresses: [MAC] })

    await trial.conductor.power(uuid, 'power off')
    await trial.untilLine('power changed', { power_state: 'power off' })
    await assert.rejects(trial.conductor.lookup({ addresses: [MAC] }), NOT_FOUND)
    await trial.conductor.power(uuid, 'power on')
    await trial.untilState(uuid, 'wait call-back')
    const second = await trial.conductor.lookup({ addresses: [MAC] })

    assert.notEqual(second.config.agent_token, '******')
    assert.notEqual(second.config.agent_token, first.config.agent_token)
  })

  it('tells agents what the configuration says', async (t) => {
    const { trial } = await waiting(t)

    const { config } = await trial.conductor.lookup({ addresses: ['52-54-00-12-34-56'] })

    assert.equal(config.heartbeat_timeout, 300)
    assert.equal(config.agent_token_required, true)
    assert.deepEqual(config.permitted_image_formats, ['raw', 'gpt', 'qcow2', 'iso'])
  })

  it('tells a stranger nothing: an unknown machine and one that is not waited for get the same answer', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ provision_state: 'active' })

    await assert.rejects(trial.conductor.lookup({ addresses: ['52:54:00:ff:ff:ff'] }), NOT_FOUND)
    await assert.rejects(trial.conductor.lookup({ addresses: [MAC] }), NOT_FOUND)
    await assert.rejects(trial.conductor.lookup({ addresses: [], node_uuid: uuid }), NOT_FOUND)
    assert.deepEqual(trial.node(uuid).driver_internal_info, {})
  })

  it('wants a MAC or a uuid', async (t) => {
    const { trial } = await waiting(t)

    await assert.rejects(trial.conductor.lookup({ addresses: ["' OR 1=1"] }), {
      name: 'InvalidParameterValue',
      code: 400,
    })
  })

  it('is not kept from an agent whose node is held', async (t) => {
    const { trial, uuid } = await waiting(t)

    await trial.conductor.withNode(uuid, 'test', () => trial.conductor.lookup({ addresses: [MAC] }))
  })
})

describe('heartbeat', () => {
  const forgeries: [string, Partial<Heartbeat>, string][] = [
    ['without a token', { agent_token: undefined }, 'Agent token is required for heartbeat processing.'],
    ['with another token', { agent_token: 'guessed' }, 'Invalid or missing agent token received.'],
    ['with the stars as a token', { agent_token: '******' }, 'Invalid or missing agent token received.'],
    ['that is no URL', { callback_url: 'gopher://x' }, 'An issue with the supplied "callback_url" has been detected.'],
    ['without TLS', { callback_url: 'http://127.0.0.1:9999' }, 'TLS is required by configuration'],
    [
      'with a status that is none',
      { agent_status: 'fine' },
      'Agent status is invalid. Valid states are start,end,error.',
    ],
    [
      'without a version',
      { agent_version: undefined },
      'Agent did not transmit a version, and a version is required. Please update the agent being used.',
    ],
  ]
  for (const [what, change, message] of forgeries) {
    it(`${what} is refused, and changes nothing`, async (t) => {
      const { trial, agent, uuid } = await waiting(t)
      await agent.lookUp(trial.conductor)
      const before = trial.node(uuid)

      await assert.rejects(agent.beat(trial.conductor, change), { name: 'InvalidParameterValue', message })

      assert.deepEqual(trial.node(uuid), before)
      assert.deepEqual(agent.given, [])
    })
  }

  it('before any lookup is refused: a token that was never given fits nobody', async (t) => {
    const { trial, uuid } = await waiting(t)
    const forged = { callback_url: 'https://127.0.0.1:9999', agent_version: '13.0.0' }

    for (const agent_token of ['', 'undefined', 'null', '******'])
      await assert.rejects(trial.conductor.heartbeat(uuid, { ...forged, agent_token }), { code: 400 })
    assert.equal(trial.node(uuid).driver_internal_info.agent_url, undefined)
  })

  it('from another address than before is refused, though it knows the token', async (t) => {
    const { trial, agent, uuid } = await waiting(t)
    await agent.boot(trial.conductor)
    await trial.until('address', () => trial.node(uuid).driver_internal_info.agent_url)

    const moved = agent.beat(trial.conductor, { callback_url: 'https://192.0.2.1:9999' })

    await assert.rejects(moved, { message: 'Detected change in ramdisk provided "callback_url"' })
    await trial.untilState(uuid, 'active')
  })

  it('of a node that does not exist is a 404', async (t) => {
    const { trial } = await waiting(t)
    const nobody = 'aaaaaaaa-0000-4000-8000-000000000000'

    await assert.rejects(trial.conductor.heartbeat(nobody, { callback_url: 'https://127.0.0.1:1' }), { code: 404 })
  })

  it('tells what the layers of the ramdisk said, until the machine is switched off', async (t) => {
    const { trial, agent, uuid } = await waiting(t)
    await agent.lookUp(trial.conductor)
    const layer_facts = { ssh: { ssh_host_keys: ['ssh-ed25519 AAAA'] } }

    await trial.conductor.withNode(uuid, 'test', () => agent.beat(trial.conductor, { layer_facts }))
    const told = trial.node(uuid).driver_internal_info.agent_layer_facts
    const other = agent.beat(trial.conductor, { layer_facts: { ssh: { ssh_host_keys: ['ssh-ed25519 BBBB'] } } })

    assert.deepEqual(told, layer_facts)
    await assert.rejects(other, { message: 'Detected change in ramdisk provided "layer_facts" of layer ssh' })
    await trial.untilState(uuid, 'active')
    assert.equal(trial.node(uuid).driver_internal_info.agent_layer_facts, undefined)
  })

  it('that comes late, after the deploy, changes nothing', async (t) => {
    const { trial, agent, uuid } = await waiting(t)
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    await assert.rejects(agent.beat(trial.conductor), { message: 'Invalid or missing agent token received.' })

    assert.equal(trial.node(uuid).driver_internal_info.agent_url, undefined)
  })

  it('that comes while the node is held is taken up when it is free', async (t) => {
    const { trial, agent, uuid } = await waiting(t)

    await trial.conductor.withNode(uuid, 'test', async () => {
      await agent.boot(trial.conductor)
      assert.deepEqual(agent.given, [])
    })

    await trial.untilState(uuid, 'active')
  })

  it('tells the token to no log', async (t) => {
    const { trial, agent, uuid } = await waiting(t)
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.ok(!JSON.stringify(trial.lines).includes(agent.token))
  })
})
