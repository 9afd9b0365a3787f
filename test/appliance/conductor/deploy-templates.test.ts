/** Deploy templates at a deploy: which ones count, what they add, and what is refused before anything begins. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { AskedStep } from '../../../appliance/records/kinds/internal-info.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { FakeAgent } from './fake-agent.ts'
import { INSTANCE, MAC, startTrial } from './trial.ts'

const RAID: AskedStep = { interface: 'raid', step: 'apply_configuration', priority: 90, args: {} }
const WRITE = { interface: 'deploy', step: 'write_image', priority: 0, reboot_requested: false }
const OFFERS = [WRITE, { interface: 'raid', step: 'apply_configuration', priority: 0, reboot_requested: false }]

async function scene(
  t: TestContext,
  templates: Record<string, readonly AskedStep[]>,
  { ini, ...fields }: Partial<Node> & { ini?: string } = {},
) {
  const trial = await startTrial(t, ini === undefined ? {} : { ini })
  const { deploy_templates } = trial.store
  for (const [name, steps] of Object.entries(templates)) {
    await deploy_templates.create(deploy_templates.draft({ name, steps }))
  }
  const traits = Object.keys(templates)
  const node = await trial.createNode({ traits, instance_info: { ...INSTANCE, traits }, ...fields })
  const deploy = (deploy_steps?: readonly object[]) =>
    trial.conductor.provision(node.uuid, {
      target: 'active',
      ...(deploy_steps && { deploy_steps: deploy_steps as never }),
    })
  const goOn = async () => {
    const agent = new FakeAgent({ mac: MAC, offers: OFFERS })
    t.after(() => agent.close())
    await trial.untilState(node.uuid, 'wait call-back')
    await agent.boot(trial.conductor)
  }
  return { trial, uuid: node.uuid, deploy, goOn }
}

describe('deploy templates', () => {
  it("whose names are among the instance's traits add their steps, the agent's own among them", async (t) => {
    const { trial, uuid, deploy, goOn } = await scene(
      t,
      { CUSTOM_RAID: [RAID], CUSTOM_OTHER: [{ ...WRITE, priority: 0, args: {} }] },
      {
        ...{ traits: ['CUSTOM_RAID', 'CUSTOM_OTHER'], instance_info: { ...INSTANCE, traits: ['CUSTOM_RAID'] } },
      },
    )

    await deploy()
    await goOn()
    await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.steps().slice(0, 3), ['deploy.deploy', 'raid.apply_configuration', 'deploy.write_image'])
  })

  it('that nobody asks for change nothing', async (t) => {
    const { trial, uuid, deploy, goOn } = await scene(t, { CUSTOM_RAID: [RAID] }, { instance_info: INSTANCE })

    await deploy()
    await goOn()
    await trial.untilState(uuid, 'active')

    assert.equal(trial.steps().includes('raid.apply_configuration'), false)
  })

  it('give way to the steps of the request', async (t) => {
    const { trial, uuid, deploy } = await scene(t, { CUSTOM_RAID: [RAID] })

    await deploy([{ ...RAID, priority: 44 }])

    const { user_deploy_steps } = trial.node(uuid).driver_internal_info
    assert.deepEqual(user_deploy_steps, [{ ...RAID, priority: 44 }])
  })

  it('do without a step that [api] disallow_deploy_steps names, which no request may name', async (t) => {
    const ini = '[api]\ndisallow_deploy_steps = raid.apply_configuration\n'
    const { trial, uuid, deploy, goOn } = await scene(t, { CUSTOM_RAID: [RAID] }, { ini })

    await assert.rejects(deploy([{ ...RAID, priority: 44 }]), {
      code: 400,
      message: /^deploy step 'raid\.apply_configuration' is not allowed\. /,
    })
    await deploy()
    await goOn()
    await trial.untilState(uuid, 'active')

    assert.equal(trial.steps().includes('raid.apply_configuration'), false)
  })

  it('with a step that nobody has fail the deploy once the agent has told its own', async (t) => {
    const { trial, uuid, deploy, goOn } = await scene(t, { CUSTOM_X: [{ ...RAID, step: 'conjure' }] })

    await deploy()
    await goOn()
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.match(String(last_error), /node does not support this deploy step: raid\.conjure/)
  })

  it('are refused at once with arguments that a known step does not take', async (t) => {
    const { trial, uuid, deploy } = await scene(t, {
      CUSTOM_X: [{ interface: 'deploy', step: 'write_image', priority: 80, args: { colour: 'red' } }],
    })

    await assert.rejects(deploy(), {
      message:
        `Failed to validate deploy or power info for node ${uuid}. Error: Validation of deploy steps from deploy ` +
        "templates matching this node's instance traits failed. Matching deploy templates: CUSTOM_X. Errors: " +
        'deploy step deploy.write_image has these unexpected arguments: colour',
    })
    assert.equal(trial.node(uuid).provision_state, 'available')
  })

  it('are refused when two of them have one step', async (t) => {
    const { deploy, trial, uuid } = await scene(t, { CUSTOM_A: [RAID], CUSTOM_B: [{ ...RAID, priority: 5 }] })

    await assert.rejects(
      deploy(),
      /Matching deploy templates: CUSTOM_A,CUSTOM_B\. Errors: .* for raid\.apply_configuration$/,
    )
    const { deploy: told } = await trial.conductor.validate(uuid)
    assert.deepEqual([told?.result, told?.reason?.includes('Duplicate deploy steps for')], [false, true])
  })

  it("are of traits that are the node's, too", async (t) => {
    const missing = await scene(t, { CUSTOM_A: [RAID] }, { traits: ['CUSTOM_B'] })
    const odd = await scene(t, {}, { instance_info: { ...INSTANCE, traits: 'CUSTOM_A' } })

    await assert.rejects(missing.deploy(), {
      message:
        `Failed to validate deploy or power info for node ${missing.uuid}. Error: Cannot specify instance traits that ` +
        `are not also set on the node. Node ${missing.uuid} is missing traits CUSTOM_A`,
    })
    await assert.rejects(odd.deploy(), /instance_info field\. A list of strings is expected\.$/)
  })
})
