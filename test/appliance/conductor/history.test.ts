/** What of a node's life goes into its history. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deploying } from './deploying.ts'
import { bmcByHand, startTrial } from './trial.ts'

const ofDeploy = [
  ...['deploy.deploy', 'deploy.write_image', 'deploy.prepare_instance_boot', 'deploy.tear_down_agent'],
  ...['deploy.switch_to_tenant_network', 'deploy.boot_instance'],
]
const named = (event: string): string[] =>
  (JSON.parse(event.slice(event.indexOf('steps=') + 6)) as { interface: string; step: string }[]).map(
    ({ interface: of, step }) => `${of}.${step}`,
  )

describe('the history of a node', () => {
  it('tells where the steps of a deploy begin and end', async (t) => {
    const { trial, agent, uuid } = await deploying(t)
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    const events = await trial.conductor.history(uuid)

    assert.deepEqual(
      events.map(({ severity, event_type, state, conductor }) => [severity, event_type, state, conductor]),
      [
        ['INFO', 'deployment_start', 'deploying', 'rackstrap'],
        ['INFO', 'deployment_end', 'deploying', 'rackstrap'],
      ],
    )
    assert.match(String(events[0]?.event), /^Starting deployment with steps=\[/)
    assert.match(String(events[1]?.event), /^Deployment completed successfully with steps=\[/)
    assert.deepEqual(named(String(events[1]?.event)), ofDeploy)
  })

  it('has each last_error, with what the node was at', async (t) => {
    const { trial, agent, uuid } = await deploying(t, {
      agent: {
        onStep: async () => {
          throw new Error('no disk, password=hunter2')
        },
      },
    })
    await agent.boot(trial.conductor)
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    const errors = (await trial.conductor.history(uuid)).filter(({ severity }) => severity === 'ERROR')

    assert.deepEqual(
      errors.map(({ event, event_type, state, target_provision_state }) => [
        event,
        event_type,
        state,
        target_provision_state,
      ]),
      [[last_error, 'deploying', 'deploying', 'active']],
    )
    assert.equal(JSON.stringify(errors).includes('hunter2'), false)
    assert.ok(Number(errors[0]?.duration_seconds) >= 0)
  })

  it('keeps an error that the next success clears from the record', async (t) => {
    const { driver, hand } = bmcByHand()
    const trial = await startTrial(t, { bmc: driver })
    const { uuid } = await trial.createNode({ provision_state: 'enroll' })
    hand.isGone = true
    await trial.conductor.provision(uuid, { target: 'manage' })
    await trial.until('failed', () => trial.node(uuid).last_error !== null && trial.node(uuid).reservation === null)
    hand.isGone = false
    await trial.conductor.provision(uuid, { target: 'manage' })
    const { last_error } = await trial.untilState(uuid, 'manageable')

    const events = await trial.conductor.history(uuid)

    assert.equal(last_error, null)
    assert.deepEqual(
      events.map(({ event_type, state }) => [event_type, state]),
      [['verifying', 'verifying']],
    )
    assert.match(String(events[0]?.event), /BMC 10\.0\.0\.1 did not answer/)
  })

  it('is not kept when [conductor] says so', async (t) => {
    const { trial, agent, uuid } = await deploying(t, { ini: '[conductor]\nnode_history = False\n' })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(await trial.conductor.history(uuid), [])
  })
})
