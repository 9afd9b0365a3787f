import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { offer } from './cleaning.ts'
import { FakeAgent } from './fake-agent.ts'
import { bmcByHand, MAC, startTrial, type TrialOptions } from './trial.ts'

const FAST = '[deploy]\nfast_track = true\n[conductor]\nautomated_clean = true\n'

async function provided(t: TestContext, given: TrialOptions & { fields?: Partial<Node> } = {}) {
  const { hand, driver } = bmcByHand()
  const trial = await startTrial(t, { bmc: driver, ...given, ini: given.ini ?? FAST })
  const agent = new FakeAgent({ mac: MAC, cleans: [offer('scrub', 10, { abortable: true })] })
  t.after(() => agent.close())
  const { uuid } = await trial.createNode({ provision_state: 'manageable', ...given.fields })
  const ask = (target: string, more = {}) => trial.conductor.provision(uuid, { target, ...more })
  await ask('provide')
  await trial.untilState(uuid, 'clean wait')
  await agent.boot(trial.conductor)
  await trial.untilState(uuid, 'available')
  return { trial, agent, uuid, hand, ask }
}

describe('fast track', () => {
  it('leaves the machine on after its cleaning, and deploys without another boot', async (t) => {
    const { trial, agent, uuid, hand, ask } = await provided(t)
    assert.deepEqual(hand.switched, ['power on'])

    await agent.beat(trial.conductor)
    await ask('active')
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(hand.switched, ['power on', 'power off', 'power on'])
    assert.deepEqual(agent.given.slice(0, 4), ['get_clean_steps', 'scrub', 'get_deploy_steps', 'write_image'])
    assert.deepEqual([node.power_state, node.last_error], ['power on', null])
    assert.equal(trial.store.boots.get(uuid), undefined)
  })

  it('cleans twice in one boot, asking the agent for its steps each time', async (t) => {
    const { trial, agent, uuid, hand, ask } = await provided(t)
    await ask('manage')

    await ask('clean', { clean_steps: [{ interface: 'deploy', step: 'scrub' }] })
    await trial.untilState(uuid, 'manageable')

    assert.deepEqual(hand.switched, ['power on'])
    assert.deepEqual(agent.given, ['get_clean_steps', 'scrub', 'get_clean_steps', 'scrub'])
  })

  it('is a choice of the node, too', async (t) => {
    const off = await provided(t, { fields: { driver_info: { fast_track: 'False' } } })
    const on = await provided(t, {
      ini: '[conductor]\nautomated_clean = true\n',
      fields: { driver_info: { fast_track: true } },
    })

    assert.deepEqual(off.hand.switched, ['power on', 'power off'])
    assert.deepEqual(on.hand.switched, ['power on'])
  })

  it('starts the machine anew when its agent has not called for [deploy] fast_track_timeout', async (t) => {
    const { trial, uuid, hand, ask } = await provided(t)
    const agent_last_heartbeat = new Date(Date.now() - 301_000).toISOString()
    await trial.store.nodes.update(uuid, (now) => ({
      driver_internal_info: { ...now.driver_internal_info, agent_last_heartbeat },
    }))

    await ask('active')
    await trial.untilState(uuid, 'wait call-back')

    assert.deepEqual(hand.switched, ['power on', 'power off', 'power on'])
  })

  it('starts the machine anew for layers that its ramdisk lacks', async (t) => {
    const { trial, uuid, hand, ask } = await provided(t)
    await trial.store.nodes.update(uuid, { driver_info: { ramdisk_layers: 'podman' } })

    await ask('active')
    await trial.untilState(uuid, 'wait call-back')

    assert.deepEqual(hand.switched, ['power on', 'power off', 'power on'])
  })

  it('ends with a power off that somebody asks for', async (t) => {
    const { trial, agent, uuid, ask } = await provided(t)

    await trial.conductor.power(uuid, 'power off')
    await trial.until('power off', () => trial.node(uuid).power_state === 'power off' && !trial.node(uuid).reservation)

    assert.equal(trial.node(uuid).driver_internal_info.agent_url, undefined)
    await assert.rejects(agent.beat(trial.conductor), {
      code: 400,
      message: 'Invalid or missing agent token received.',
    })
    await ask('active')
    await trial.untilState(uuid, 'wait call-back')
  })

  it('opens no door: an agent of another address, or with another token, is refused as ever', async (t) => {
    const { trial, agent } = await provided(t)

    await assert.rejects(agent.beat(trial.conductor, { agent_token: 'guessed' }), {
      code: 400,
      message: 'Invalid or missing agent token received.',
    })
    await assert.rejects(trial.conductor.lookup({ addresses: [MAC] }, { address: '172.22.0.66' }), { code: 404 })
    assert.equal(trial.conductor.machineBootOf(MAC).kind, 'disk')
  })

  it('is no part of a cleaning without it: the agent goes with the power', async (t) => {
    const { trial, agent, uuid, hand } = await provided(t, { ini: '[conductor]\nautomated_clean = true\n' })

    assert.deepEqual(hand.switched, ['power on', 'power off'])
    assert.equal(trial.node(uuid).driver_internal_info.agent_url, undefined)
    await assert.rejects(agent.beat(trial.conductor), { code: 400 })
  })
})
