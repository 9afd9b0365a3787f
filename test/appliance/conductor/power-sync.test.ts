import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { bmcByHand, startTrial } from './trial.ts'

async function start(t: TestContext, given: { ini?: string; fields?: Partial<Node> } = {}) {
  const { hand, driver } = bmcByHand()
  const trial = await startTrial(t, { bmc: driver, ...(given.ini && { ini: `[conductor]\n${given.ini}\n` }) })
  const { uuid } = await trial.createNode({ power_state: 'power on', ...given.fields })
  hand.state = 'power on'
  const sync = async (times = 1) => {
    for (let time = 0; time < times; time++) await trial.conductor.syncPowerStates()
    return trial.node(uuid)
  }
  return { trial, hand, uuid, sync }
}
const lost = (uuid: string, error: string) =>
  `During sync_power_state, max retries exceeded for node ${uuid}, node state None does not match expected state ` +
  `'power on'. Updating DB state to 'None' Switching node to maintenance mode.${error}`

describe('reading of power states', () => {
  it('lets the record follow the machine', async (t) => {
    const { hand, sync } = await start(t)
    hand.state = 'power off'

    const { power_state, maintenance } = await sync()

    assert.deepEqual([power_state, maintenance, hand.switched], ['power off', false, []])
  })

  it('puts a node into maintenance whose BMC is lost beyond [conductor] power_state_sync_max_retries', async (t) => {
    const { hand, uuid, sync } = await start(t, { ini: 'power_state_sync_max_retries = 2' })
    hand.isGone = true

    const before = await sync(2)
    const after = await sync()

    assert.deepEqual([before.maintenance, before.power_state], [false, 'power on'])
    const says = lost(uuid, ' Error: BMC 10.0.0.1 did not answer')
    assert.deepEqual(
      [after.maintenance, after.fault, after.power_state, after.maintenance_reason, after.last_error],
      [true, 'power failure', null, says, says],
    )
  })

  it('begins to count anew when the BMC has answered', async (t) => {
    const { hand, sync } = await start(t, { ini: 'power_state_sync_max_retries = 2' })
    hand.isGone = true
    await sync(2)
    hand.isGone = false
    await sync()
    hand.isGone = true

    const { maintenance } = await sync(2)

    assert.equal(maintenance, false)
  })

  it('asks no machine that is on its way by itself, is being switched, or was given up', async (t) => {
    for (const fields of [
      { provision_state: 'clean wait' },
      { provision_state: 'wait call-back' },
      { provision_state: 'enroll' },
      { provision_state: 'adopt failed' },
      { target_power_state: 'power on' },
      { maintenance: true },
    ] as const) {
      const { hand, sync } = await start(t, { fields })
      hand.state = 'power off'

      assert.equal((await sync()).power_state, 'power on', JSON.stringify(fields))
    }
  })

  it('counts nothing of a node that was never seen and names no BMC', async (t) => {
    const { hand, driver } = bmcByHand()
    const validate = () => Promise.reject(new Error('ipmi_address is missing'))
    const trial = await startTrial(t, {
      bmc: { ...driver, validate },
      ini: '[conductor]\npower_state_sync_max_retries = 0\n',
    })
    hand.isGone = true
    const { uuid } = await trial.createNode({ power_state: null })

    await trial.conductor.syncPowerStates()

    assert.equal(trial.node(uuid).maintenance, false)
  })
})

describe('force_power_state_during_sync', () => {
  const ini = 'force_power_state_during_sync = true\npower_state_sync_max_retries = 1'

  it('switches the machine back to the state of its record', async (t) => {
    const { hand, sync } = await start(t, { ini })
    hand.state = 'power off'

    const { power_state, reservation } = await sync()

    assert.deepEqual([hand.switched, hand.state], [['power on'], 'power on'])
    assert.deepEqual([power_state, reservation], ['power on', null])
  })

  it('leaves a machine alone that must not be switched off', async (t) => {
    const { hand, sync } = await start(t, { ini, fields: { power_state: 'power off', disable_power_off: true } })

    const { power_state } = await sync()

    assert.deepEqual([power_state, hand.switched], ['power on', []])
  })

  it('gives up a machine that does not stay in that state', async (t) => {
    const { hand, uuid, sync } = await start(t, { ini })
    hand.state = 'power off'
    await sync()
    hand.state = 'power off'

    const { fault, power_state, maintenance_reason } = await sync()

    assert.deepEqual([fault, power_state], ['power failure', 'power off'])
    assert.match(
      String(maintenance_reason),
      new RegExp(
        `max retries exceeded for node ${uuid}, node state power off does not match expected state 'power on'`,
      ),
    )
  })
})

describe('recovery from a power failure', () => {
  const FAILED = { maintenance: true, fault: 'power failure', maintenance_reason: 'gone', power_state: null } as const

  it('ends the maintenance when the BMC answers again', async (t) => {
    const { hand, trial, uuid } = await start(t, { fields: FAILED })
    hand.isGone = true
    await trial.conductor.recoverPowerFailures()
    assert.equal(trial.node(uuid).maintenance, true)
    hand.isGone = false

    await trial.conductor.recoverPowerFailures()

    const { maintenance, fault, maintenance_reason, power_state } = trial.node(uuid)
    assert.deepEqual([maintenance, fault, maintenance_reason, power_state], [false, null, null, 'power on'])
  })

  it('leaves other maintenance alone', async (t) => {
    for (const fields of [
      { ...FAILED, fault: null },
      { ...FAILED, fault: 'clean failure' },
      { ...FAILED, provision_state: 'enroll' },
    ] as const) {
      const { trial, uuid } = await start(t, { fields })

      await trial.conductor.recoverPowerFailures()

      assert.equal(trial.node(uuid).maintenance, true)
    }
  })
})
