import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startTrial } from './trial.ts'

const done = async () => ({ done: true as const })
const step = (name: string, priority: number, run = done) => ({ step: name, of: ['verify'] as const, priority, run })

describe('manage of a new node', () => {
  it('runs the verify steps of its interfaces by priority, power first, when its power state was read', async (t) => {
    const bmc = { steps: [step('clear_job_queue', 5), step('reset_bmc', 50), step('never', 0)] }
    const trial = await startTrial(t, { bmc })
    const { uuid } = await trial.createNode({ provision_state: 'enroll', power_state: null })

    await trial.conductor.provision(uuid, { target: 'manage' })
    const node = await trial.untilState(uuid, 'manageable')

    assert.deepEqual(trial.steps(), [
      'power.reset_bmc',
      'management.reset_bmc',
      'power.clear_job_queue',
      'management.clear_job_queue',
    ])
    assert.deepEqual([node.power_state, node.last_error, node.driver_internal_info], ['power off', null, {}])
  })

  it('follows [conductor] verify_step_priority_override', async (t) => {
    const ini = '[conductor]\nverify_step_priority_override = power.never:1,management.reset_bmc:0\n'
    const trial = await startTrial(t, { ini, bmc: { steps: [step('reset_bmc', 50), step('never', 0)] } })
    const { uuid } = await trial.createNode({ provision_state: 'enroll' })

    await trial.conductor.provision(uuid, { target: 'manage' })
    await trial.untilState(uuid, 'manageable')

    assert.deepEqual(trial.steps(), ['power.reset_bmc', 'power.never'])
  })

  it('leads back to enroll when a step fails, with the reason', async (t) => {
    const broken = () => Promise.reject(new Error('the BMC forgets its jobs'))
    const trial = await startTrial(t, { bmc: { steps: [step('clear_job_queue', 5, broken)] } })
    const { uuid } = await trial.createNode({ provision_state: 'enroll' })

    await trial.conductor.provision(uuid, { target: 'manage' })
    await trial.untilLine('provision state changed', { to: 'enroll' })
    const { last_error, driver_internal_info } = await trial.untilState(uuid, 'enroll')

    assert.match(
      String(last_error),
      /^Failed to verify: step power\.clear_job_queue failed: .*the BMC forgets its jobs$/,
    )
    assert.deepEqual(driver_internal_info, {})
  })

  it('tells apart a BMC that nobody named and one that does not answer', async (t) => {
    const validate = () => Promise.reject(new Error('ipmi_address is missing'))
    const trial = await startTrial(t, { bmc: { validate } })
    const { uuid } = await trial.createNode({ provision_state: 'enroll' })

    await trial.conductor.provision(uuid, { target: 'manage' })
    await trial.untilLine('provision state changed', { to: 'enroll' })

    assert.equal(
      trial.node(uuid).last_error,
      `Failed to validate power driver interface for node ${uuid}. Error: ipmi_address is missing`,
    )
  })

  it('needs no deploy interface that is loaded', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ provision_state: 'enroll', interfaces: { deploy: 'bootc' } as never })

    await trial.conductor.provision(uuid, { target: 'manage' })

    await trial.untilState(uuid, 'manageable')
  })
})

describe('manage of a node that was verified', () => {
  it('is done at once', async (t) => {
    const trial = await startTrial(t, { bmc: { steps: [step('reset_bmc', 50)] } })
    const { uuid } = await trial.createNode({ provision_state: 'available' })

    await trial.conductor.provision(uuid, { target: 'manage' })

    assert.equal(trial.node(uuid).provision_state, 'manageable')
    assert.deepEqual(trial.steps(), [])
  })
})
