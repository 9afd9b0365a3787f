import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { newBoot } from '../../../appliance/records/kinds/boot.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { FakeAgent, type FakeAgentOptions, stepFails } from './fake-agent.ts'
import { bmcByHand, INSTANCE, MAC, startTrial, type TrialOptions } from './trial.ts'

const ENABLED = '[DEFAULT]\nenabled_rescue_interfaces = agent,fake,no-rescue\n'
const PASSWORD = 'mellon, friend'

async function active(
  t: TestContext,
  given: TrialOptions & { agent?: Partial<FakeAgentOptions>; fields?: Partial<Node>; rescue?: string } = {},
) {
  const { hand, driver } = bmcByHand()
  hand.state = 'power on'
  const trial = await startTrial(t, { bmc: driver, ...given, ini: `${ENABLED}${given.ini ?? ''}` })
  const agent = new FakeAgent({ mac: MAC, ...given.agent })
  t.after(() => agent.close())
  const interfaces = { rescue: given.rescue ?? 'agent' } as Node['interfaces']
  const { uuid } = await trial.createNode({
    ...{ provision_state: 'active', power_state: 'power on', ...given.fields },
    interfaces,
  })
  const ask = (target: string, rescue_password?: string) =>
    trial.conductor.provision(uuid, { target, ...(rescue_password === undefined ? {} : { rescue_password }) })
  return { trial, agent, uuid, hand, ask }
}
type Rescued = Awaited<ReturnType<typeof active>>

const waits = async ({ trial, uuid, ask }: Rescued) => {
  await ask('rescue', PASSWORD)
  return trial.untilState(uuid, 'rescue wait')
}
const rescued = async (begun: Rescued) => {
  await waits(begun)
  await begun.agent.boot(begun.trial.conductor)
  return begun.trial.untilState(begun.uuid, 'rescue')
}

describe('rescue by the agent', () => {
  it('starts the machine into the agent, and gives it the hash of the password', async (t) => {
    const begun = await active(t)

    const node = await rescued(begun)

    assert.deepEqual(begun.trial.states(), ['rescuing', 'rescue wait', 'rescuing', 'rescue'])
    assert.deepEqual(begun.hand.switched, ['power off', 'power on'])
    assert.deepEqual(begun.agent.given, ['finalize_rescue'])
    const [params] = begun.agent.params
    assert.equal(params?.hashed, true)
    assert.match(String(params?.rescue_password), /^\$5\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{43}$/)
    assert.deepEqual([node.instance_info, node.last_error, node.power_state], [INSTANCE, null, 'power on'])
  })

  it('hashes by [conductor] rescue_password_hash_algorithm', async (t) => {
    const begun = await active(t, { ini: '[conductor]\nrescue_password_hash_algorithm = sha512\n' })

    await rescued(begun)

    assert.match(String(begun.agent.params[0]?.rescue_password), /^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/)
  })

  it('never stores the password, nor logs it', async (t) => {
    const begun = await active(t)

    const waiting = await waits(begun)

    assert.match(String(waiting.instance_info.hashed_rescue_password), /^\$5\$/)
    assert.doesNotMatch(JSON.stringify([waiting, begun.trial.lines]), /mellon/)
  })

  it('leaves no agent, and nothing for the machine to boot from this box', async (t) => {
    const begun = await active(t)

    const { driver_internal_info: info, uuid } = await rescued(begun)

    assert.deepEqual([info.agent_url, info.agent_secret_token, info.rescue_steps], [undefined, undefined, undefined])
    assert.equal(begun.trial.store.boots.get(uuid), undefined)
  })

  it('fails with the reason of the agent, switches the machine off, and forgets the password', async (t) => {
    const onRescue = () => Promise.reject(stepFails('there is no shadow file'))
    const begun = await active(t, { agent: { onRescue } })

    await waits(begun)
    await begun.agent.boot(begun.trial.conductor)
    const node = await begun.trial.untilState(begun.uuid, 'rescue failed')
    const { driver_internal_info } = await begun.trial.until('the end of the failure', () => {
      const now = begun.trial.node(begun.uuid)
      return now.driver_internal_info.rescue_cleanup_pending === undefined && now
    })

    assert.match(String(node.last_error), /^Node failed to perform rescue operation: .*there is no shadow file/)
    assert.deepEqual([node.instance_info, node.maintenance], [INSTANCE, false])
    assert.equal(begun.hand.state, 'power off')
    assert.equal(driver_internal_info.rescue_steps, undefined)
  })

  it('is aborted while it waits, and can be begun anew', async (t) => {
    const begun = await active(t)

    await waits(begun)
    await begun.ask('abort')
    const { last_error } = await begun.trial.untilState(begun.uuid, 'rescue failed')
    await rescued(begun)

    assert.equal(last_error, 'By request, the rescue operation was aborted.')
  })

  it('fails at its deadline', async (t) => {
    const begun = await active(t, { ini: '[conductor]\nrescue_callback_timeout = 1\n' })

    await begun.ask('rescue', PASSWORD)
    const { last_error } = await begun.trial.untilState(begun.uuid, 'rescue failed')

    assert.match(
      String(last_error),
      /^Timeout reached while waiting for rescue ramdisk callback for node \(\[conductor\] rescue_callback_timeout 1 s\): no agent/,
    )
  })

  it('is deleted with its instance', async (t) => {
    const begun = await active(t)

    await waits(begun)
    await begun.ask('deleted')
    const { instance_info, driver_internal_info } = await begun.trial.untilState(begun.uuid, 'available')

    assert.deepEqual([instance_info, driver_internal_info.rescue_steps], [{}, undefined])
  })
})

describe('rescue is refused', () => {
  it('in words that clients know, and nothing has changed', async (t) => {
    const { trial, uuid, ask } = await active(t, { fields: { instance_uuid: '11111111-0000-4000-8000-000000000000' } })
    const before = trial.node(uuid)
    const refuses = (message: string, password?: string) =>
      assert.rejects(ask('rescue', password), { code: 400, message })
    const what =
      `Failed to rescue instance 11111111-0000-4000-8000-000000000000 for node ${uuid}: Validation failed: ` as const

    await refuses(`${what}Node ${uuid} is to be rescued, and no password was given.`, ' ')
    await refuses(
      `${what}The rescue password cannot be taken: a password has at most 256 characters, on one line.`,
      'two\nlines',
    )

    assert.deepEqual(trial.node(uuid), before)
  })

  it('where the node has no rescue interface, and in maintenance', async (t) => {
    const none = await active(t, { rescue: 'no-rescue' })
    const kept = await active(t, { fields: { maintenance: true } })

    await assert.rejects(none.ask('rescue', PASSWORD), {
      code: 400,
      message: /Validation failed: Driver fake-hardware does not support rescue \(disabled or not implemented\)\.$/,
    })
    await assert.rejects(kept.ask('rescue', PASSWORD), {
      code: 400,
      message: `The rescuing operation can't be performed on node ${kept.uuid} because it's in maintenance mode.`,
    })
  })
})

describe('unrescue', () => {
  it('starts the machine from its disk', async (t) => {
    const begun = await active(t)
    await rescued(begun)
    begun.hand.switched.length = 0

    await begun.ask('unrescue')
    const node = await begun.trial.untilState(begun.uuid, 'active')

    assert.deepEqual(begun.trial.states().slice(-2), ['unrescuing', 'active'])
    assert.deepEqual(begun.hand.switched, ['power off', 'power on'])
    assert.equal(begun.hand.devices.at(-1), 'disk true')
    assert.deepEqual([node.instance_info, node.power_state, node.last_error], [INSTANCE, 'power on', null])
  })

  it('of an instance that boots from this box starts it from the network', async (t) => {
    const begun = await active(t)
    const file = {
      name: `${begun.uuid}.k`,
      href_secret: 'http://x/k',
      field: 'f',
      checksum: { algorithm: 'sha256', value: 'a3' },
    }
    const instance = { kind: 'kernel', kernel: file, ramdisks: [], parameters: '' } as const
    await begun.trial.store.boots.create(newBoot(begun.uuid, { instance } as never))
    await rescued(begun)

    await begun.ask('unrescue')
    await begun.trial.untilState(begun.uuid, 'active')

    assert.equal(begun.hand.devices.at(-1), 'pxe true')
    assert.deepEqual(begun.trial.store.boots.get(begun.uuid)?.instance, instance)
  })

  it('fails with the reason when the BMC is gone, and can be asked for again', async (t) => {
    const begun = await active(t)
    await rescued(begun)
    begun.hand.isGone = true

    await begun.ask('unrescue')
    const { last_error } = await begun.trial.untilState(begun.uuid, 'unrescue failed')
    begun.hand.isGone = false
    await begun.ask('unrescue')

    assert.equal(last_error, 'Failed to unrescue: BMC 10.0.0.1 did not answer')
    await begun.trial.untilState(begun.uuid, 'active')
  })
})

describe('rescue of a machine that is only a record', () => {
  it('waits for nobody, and touches no machine', async (t) => {
    const { trial, uuid, hand, ask } = await active(t, { rescue: 'fake' })

    await ask('rescue', PASSWORD)
    await trial.untilState(uuid, 'rescue')
    await ask('unrescue')
    await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.states(), ['rescuing', 'rescue', 'unrescuing', 'active'])
    assert.deepEqual(hand.switched, [])
  })
})

describe('rescue that a restart cuts off', () => {
  for (const state of ['rescuing', 'unrescuing'] as const) {
    it(`goes on from "${state}"`, async (t) => {
      const begun = await active(t, { rescue: 'fake', fields: { provision_state: state } })

      await begun.trial.conductor.recover()

      await begun.trial.untilState(begun.uuid, state === 'rescuing' ? 'rescue' : 'active')
    })
  }
})
