import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Node } from '../../../appliance/nodes/node.ts'
import type { Port } from '../../../appliance/nodes/port.ts'
import { type Door, FakeAgent, type FakeAgentOptions, stepFails } from './fake-agent.ts'
import { bmcByHand, IMAGE, INSTANCE, imagesOnPaper, MAC, startTrial, type Trial, type TrialOptions } from './trial.ts'

type StepParams = {
  step: { step: string; args: { image_info: { urls: string[] } } }
  node: Node
  ports: Port[]
  deploy_version: object
}
type Deploying = { trial: Trial; agent: FakeAgent; uuid: string }

/** A node that waits for its agent's first call. */
async function deploying(
  t: TestContext,
  options: TrialOptions & {
    agent?: Partial<FakeAgentOptions>
    deploy_steps?: object[]
    instance_info?: object
    fields?: Partial<Node>
  } = {},
): Promise<Deploying> {
  const trial = await startTrial(t, options)
  const agent = new FakeAgent({ mac: MAC, ...options.agent })
  t.after(() => agent.close())
  const { uuid } = await trial.createNode({
    instance_info: { ...INSTANCE, ...options.instance_info },
    ...options.fields,
  })
  await trial.conductor.provision(uuid, {
    target: 'active',
    ...(options.deploy_steps ? { deploy_steps: options.deploy_steps as never } : {}),
  })
  await trial.untilState(uuid, 'wait call-back')
  return { trial, agent, uuid }
}

describe('deploy', () => {
  it('boots the agent, has it write the image, switches the machine off and starts it from its disk', async (t) => {
    const images = imagesOnPaper()

    const { trial, agent, uuid } = await deploying(t, { images })
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.steps(), [
      'deploy.deploy',
      'deploy.write_image',
      'deploy.prepare_instance_boot',
      'deploy.tear_down_agent',
      'deploy.switch_to_tenant_network',
      'deploy.boot_instance',
    ])
    assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'sync', 'power_off'])
    assert.deepEqual(trial.states(), [
      'deploying',
      'wait call-back',
      'deploying',
      'wait call-back',
      'deploying',
      'active',
    ])
    assert.equal(node.power_state, 'power on')
    assert.equal(node.target_provision_state, null)
    assert.equal(node.last_error, null)
    assert.deepEqual(node.deploy_step, {})
    assert.deepEqual(images.released, [uuid])
    assert.deepEqual(trial.deploys, ['active'])
  })

  it('leaves nothing of itself in the record, least of all the token', async (t) => {
    const { trial, agent, uuid } = await deploying(t)
    await agent.boot(trial.conductor)
    const { driver_internal_info, wait } = await trial.untilState(uuid, 'active')

    assert.deepEqual(Object.keys(driver_internal_info).sort(), ['agent_last_heartbeat', 'agent_version'])
    assert.equal(wait, null)
  })

  it('gives the agent the step, the whole node and its ports, and nothing that opens the BMC', async (t) => {
    const { trial, agent, uuid } = await deploying(t, { instance_info: { capabilities: 'boot_mode:bios' } })
    await trial.store.nodes.update(uuid, { driver_info: { ipmi_password: 'secret', ipmi_address: '10.0.0.1' } })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    const { step, node, ports, deploy_version } = agent.params[agent.given.indexOf('write_image')] as StepParams
    assert.equal(step.step, 'write_image')
    assert.deepEqual(step.args.image_info.urls, [IMAGE.url])
    assert.deepEqual(deploy_version, { fake: '1.0' })
    assert.equal(node.uuid, uuid)
    assert.deepEqual(node.instance_info, { ...INSTANCE, capabilities: 'boot_mode:bios' })
    assert.deepEqual(node.driver_info, { ipmi_password: '******', ipmi_address: '10.0.0.1' })
    assert.deepEqual(
      ports.map(({ address }) => address),
      [MAC],
    )
  })

  it("runs the agent's own steps of priority 41 to 99, and those that were asked for, in their order", async (t) => {
    const offers = [
      { interface: 'deploy', step: 'write_image', priority: 0, reboot_requested: false },
      { interface: 'raid', step: 'apply_configuration', priority: 0, reboot_requested: false },
      { interface: 'deploy', step: 'inject_files', priority: 70, reboot_requested: false },
    ]
    const deploy_steps = [{ interface: 'raid', step: 'apply_configuration', priority: 90 }]

    const { trial, agent, uuid } = await deploying(t, { agent: { offers }, deploy_steps })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(trial.steps().slice(0, 5), [
      'deploy.deploy',
      'raid.apply_configuration',
      'deploy.write_image',
      'deploy.inject_files',
      'deploy.prepare_instance_boot',
    ])
  })

  it('boots the agent again after a step of its that wishes so', async (t) => {
    const offers = [
      { interface: 'deploy', step: 'write_image', priority: 0, reboot_requested: false },
      { interface: 'bios', step: 'flash', priority: 95, reboot_requested: true },
    ]

    const { trial, agent, uuid } = await deploying(t, { agent: { offers } })
    await agent.boot(trial.conductor)
    await trial.until('second boot', () => trial.node(uuid).wait?.note === 'bios.flash wants a reboot')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(agent.given, ['get_deploy_steps', 'flash', 'get_deploy_steps', 'write_image', 'sync', 'power_off'])
  })

  it('fails when a step was asked for that neither the plugin nor the agent has', async (t) => {
    const { trial, agent, uuid } = await deploying(t, {
      deploy_steps: [{ interface: 'raid', step: 'brew', priority: 90 }],
    })
    await agent.boot(trial.conductor)
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.match(
      last_error ?? '',
      /^Deploy step deploy\.deploy failed: node does not support this deploy step: raid\.brew /,
    )
  })

  it('shows the progress that the agent tells', async (t) => {
    const { promise: shown, resolve } = Promise.withResolvers<void>()
    const onStep: FakeAgentOptions['onStep'] = (_step, _params, progress) => {
      progress('writing the image', 512, 1024)
      return shown
    }

    const { trial, agent, uuid } = await deploying(t, { agent: { onStep } })
    await agent.boot(trial.conductor)
    const line = await trial.untilLine('progress', { node: uuid, note: 'writing the image' })
    resolve()
    await trial.untilState(uuid, 'active')

    assert.deepEqual([line.done, line.total], [512, 1024])
  })

  it('takes the image as soon as the machine is on its way', async (t) => {
    const { promise: resolved, resolve } = Promise.withResolvers<typeof IMAGE>()
    const asked: string[] = []
    const images = imagesOnPaper({
      resolve: async ({ node_uuid }) => {
        asked.push(node_uuid)
        return resolved
      },
    })

    const { trial, agent, uuid } = await deploying(t, { images })
    assert.deepEqual(asked, [uuid])
    resolve(IMAGE)
    await agent.boot(trial.conductor)

    await trial.untilState(uuid, 'active')
  })
})

describe('end of the agent', () => {
  const SLOW = '[agent]\npost_deploy_get_power_state_retry_interval = 5\n'

  it('is its own power off, seen at once; the BMC need not help', async (t) => {
    const { hand, driver } = bmcByHand()
    const onPowerOff = () => {
      hand.state = 'power off'
    }

    const { trial, agent, uuid } = await deploying(t, { bmc: driver, agent: { onPowerOff }, ini: SLOW })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(hand.switched, ['power on', 'power on'])
    assert.deepEqual(hand.devices, ['pxe false', 'disk true'])
  })

  it('is a flush and the BMC alone with driver_info/deploy_forces_oob_reboot', async (t) => {
    const { hand, driver } = bmcByHand()

    const { trial, agent, uuid } = await deploying(t, {
      bmc: driver,
      fields: { driver_info: { deploy_forces_oob_reboot: 'True' } },
    })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'active')

    assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'sync'])
    assert.deepEqual(hand.switched, ['power on', 'power off', 'power on'])
  })

  it('is a flush and a reboot where the machine must not be off', async (t) => {
    const { hand, driver } = bmcByHand()

    const { trial, agent, uuid } = await deploying(t, { bmc: driver, fields: { disable_power_off: true } })
    await agent.boot(trial.conductor)
    const { driver_internal_info } = await trial.untilState(uuid, 'active')

    assert.deepEqual(agent.given, ['get_deploy_steps', 'write_image', 'sync'])
    assert.deepEqual(hand.switched, ['rebooting', 'rebooting'])
    assert.equal(driver_internal_info.agent_secret_token, undefined)
  })
})

describe('deploy that fails', () => {
  it('says what the agent says, and switches the machine off', async (t) => {
    const onStep = () => Promise.reject(stepFails('disk /dev/sda is too small'))
    const images = imagesOnPaper()

    const { trial, agent, uuid } = await deploying(t, { images, agent: { onStep } })
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'deploy failed')

    assert.equal(
      node.last_error,
      'Deploy step deploy.write_image failed: the agent returned an error: disk /dev/sda is too small',
    )
    assert.equal(node.power_state, 'power off')
    assert.equal(node.target_provision_state, 'active')
    assert.deepEqual(Object.keys(node.driver_internal_info).sort(), ['agent_last_heartbeat', 'agent_version'])
    assert.deepEqual(images.released, [uuid])
    assert.deepEqual(trial.deploys, ['failed'])
  })

  it('can be deployed again, and then succeeds', async (t) => {
    let attempts = 0
    const onStep = async () => {
      attempts += 1
      if (attempts === 1) throw stepFails('no luck')
    }

    const { trial, agent, uuid } = await deploying(t, { agent: { onStep } })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'deploy failed')
    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'wait call-back')
    await agent.boot(trial.conductor)
    const { last_error } = await trial.untilState(uuid, 'active')

    assert.equal(last_error, null)
  })

  it('leaves the machine on when [deploy] power_off_after_deploy_failure says so', async (t) => {
    const ini = '[deploy]\npower_off_after_deploy_failure = False\n'
    const onStep = () => Promise.reject(stepFails('no luck'))

    const { trial, agent, uuid } = await deploying(t, { ini, agent: { onStep } })
    await agent.boot(trial.conductor)

    assert.equal((await trial.untilState(uuid, 'deploy failed')).power_state, 'power on')
  })

  it('fails at once when its image cannot be had, while the machine still boots', async (t) => {
    const { promise, reject } = Promise.withResolvers<never>()
    const images = imagesOnPaper({ resolve: () => promise })

    const { trial, uuid } = await deploying(t, { images })
    reject(new Error('http://images.example/debian.raw answered 404'))
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(last_error, `The image of node ${uuid} cannot be had: http://images.example/debian.raw answered 404`)
  })

  it('fails when no agent calls within [conductor] deploy_callback_timeout, and says where to look', async (t) => {
    const { trial, uuid } = await deploying(t, { ini: '[conductor]\ndeploy_callback_timeout = 1\n' })

    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(
      last_error,
      `Timeout reached while waiting for callback for node ${uuid} (step deploy.deploy, [conductor] deploy_callback_timeout 1 s): ` +
        "no agent has called. Look at the machine's screen, whether it boots from the network, and whether its network card is a port of this node with pxe_enabled.",
    )
  })

  it('fails when the agent falls silent over its work', async (t) => {
    const { trial, agent, uuid } = await deploying(t, {
      ini: '[conductor]\ndeploy_callback_timeout = 1\n',
      agent: { onStep: () => agent.close() },
    })
    await agent.boot(trial.conductor)
    const { last_error } = await trial.untilState(uuid, 'deploy failed')

    assert.match(
      last_error ?? '',
      /\(step deploy\.write_image, .* the agent does not tell any more how its command goes/,
    )
  })

  it('is not failed while its agent is alive: each sign of it moves the deadline', async (t) => {
    const { promise: written, resolve } = Promise.withResolvers<void>()
    const { trial, agent, uuid } = await deploying(t, { agent: { onStep: () => written } })
    await agent.boot(trial.conductor)
    await agent.untilGiven('write_image')
    const { wait } = await trial.untilState(uuid, 'wait call-back')
    assert.ok(wait)
    const soon = new Date(Date.now() + 10_000).toISOString()

    await trial.store.nodes.update(uuid, { wait: { ...wait, deadline: soon } })
    await trial.until('later deadline', () => Date.parse(trial.node(uuid).wait?.deadline ?? soon) > Date.parse(soon))
    resolve()

    await trial.untilState(uuid, 'active')
  })

  it('does not wait longer for a deadline that only the clock has reached', async (t) => {
    const { trial, uuid } = await deploying(t)
    const { wait } = trial.node(uuid)
    assert.ok(wait)

    await trial.store.nodes.update(uuid, { wait: { ...wait, deadline: new Date(0).toISOString() } })
    await trial.conductor.checkDeadlines()

    await trial.untilState(uuid, 'deploy failed')
  })

  it('starts a machine once more whose agent has not called within [pxe] boot_retry_timeout', async (t) => {
    const { trial, agent, uuid } = await deploying(t, { ini: '[pxe]\nboot_retry_timeout = 1\n' })

    await trial.until('second start', () => trial.lines.filter((line) => line.power_state === 'power on').length === 2)
    await trial.untilState(uuid, 'wait call-back')
    await agent.boot(trial.conductor)

    await trial.untilState(uuid, 'active')
  })

  it('is not failed by the clock while the node is in maintenance', async (t) => {
    const { trial, agent, uuid } = await deploying(t)
    const { wait } = trial.node(uuid)
    assert.ok(wait)
    await trial.store.nodes.update(uuid, { maintenance: true, wait: { ...wait, deadline: new Date(0).toISOString() } })

    await trial.conductor.checkDeadlines()
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'wait call-back')
    assert.deepEqual(agent.given, [])
    await trial.store.nodes.update(uuid, { maintenance: false })
    await agent.beat(trial.conductor)

    await trial.untilState(uuid, 'active')
  })
})

describe('deploy that is called off', () => {
  it('by abort: is failed, says so, and the machine is switched off', async (t) => {
    const { trial, uuid } = await deploying(t)

    await trial.conductor.provision(uuid, { target: 'abort' })
    const { last_error, power_state } = await trial.untilState(uuid, 'deploy failed')

    assert.equal(last_error, `The deploy of node ${uuid} was aborted on request.`)
    assert.equal(power_state, 'power off')
  })

  for (const [target, state] of [
    ['abort', 'deploy failed'],
    ['deleted', 'available'],
  ] as const) {
    it(`by ${target}: its downloads end, and its agent is heard no more`, async (t) => {
      let signal: AbortSignal | undefined
      const images = imagesOnPaper({
        resolve: (request) => {
          signal = request.signal
          return new Promise((_, reject) =>
            request.signal.addEventListener('abort', () => reject(request.signal.reason)),
          )
        },
      })
      const { trial, agent, uuid } = await deploying(t, { images })
      await agent.lookUp(trial.conductor)

      await trial.conductor.provision(uuid, { target })
      await trial.untilState(uuid, state)

      assert.equal(signal?.aborted, true)
      await assert.rejects(agent.beat(trial.conductor as Door), { name: 'InvalidParameterValue' })
      assert.deepEqual(agent.given, [])
    })
  }

  it('by undeploy: the node is available again, and nothing of the instance is left', async (t) => {
    const images = imagesOnPaper()
    const { trial, agent, uuid } = await deploying(t, { images, agent: { onStep: () => new Promise(() => {}) } })
    await agent.boot(trial.conductor)
    await trial.untilLine('step started', { step: 'write_image' })
    await trial.untilState(uuid, 'wait call-back')

    await trial.conductor.provision(uuid, { target: 'deleted' })
    const node = await trial.untilState(uuid, 'available')

    assert.deepEqual([node.instance_info, node.instance_uuid, node.deploy_step, node.wait], [{}, null, {}, null])
    assert.deepEqual(Object.keys(node.driver_internal_info).sort(), ['agent_last_heartbeat', 'agent_version'])
    assert.equal(node.power_state, 'power off')
    assert.deepEqual(images.released, [uuid])
  })
})
