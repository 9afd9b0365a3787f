import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { deploying } from './deploying.ts'
import { type Door, stepFails } from './fake-agent.ts'
import { bmcByHand, imagesOnPaper, MAC, startTrial } from './trial.ts'

const BMC_TAKES_MS = 200

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

  it('switches the machine off that a BMC was just switching on when the image was lost', async (t) => {
    const { hand, driver } = bmcByHand()
    const { promise: image, reject: lose } = Promise.withResolvers<never>()
    const isAsked = Promise.withResolvers<void>()
    const bmc = {
      ...driver,
      setPowerState: async (...[task, target]: Parameters<typeof driver.setPowerState>) => {
        isAsked.resolve()
        if (target === 'power on') await pause(BMC_TAKES_MS)
        return driver.setPowerState(task, target)
      },
    }

    const trial = await startTrial(t, { bmc, images: imagesOnPaper({ resolve: () => image }) })
    const { uuid } = await trial.createNode()
    await trial.conductor.provision(uuid, { target: 'active' })
    await isAsked.promise
    lose(new Error('http://images.example/debian.raw answered 404'))
    const node = await trial.untilState(uuid, 'deploy failed')

    assert.equal(hand.state, 'power off')
    assert.equal(node.power_state, 'power off')
    assert.deepEqual(hand.switched, ['power on', 'power off'])
    assert.equal(trial.store.boots.get(uuid), undefined)
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

  it('tells of the last who was refused within the wait: it may be the agent itself', async (t) => {
    for (const [isBefore, told] of [
      [
        false,
        / Meanwhile somebody was refused who asked in its name: Lookup of node .* without the number of this boot: /,
      ],
      [true, /with pxe_enabled\.$/],
    ] as const) {
      const { trial, uuid } = await deploying(t, { ini: '[api]\ncheck_boot_number = True\n' })
      await assert.rejects(trial.conductor.lookup({ addresses: [MAC] }), { code: 404 })
      const { wait, driver_internal_info } = trial.node(uuid)
      const { refused_strangers } = driver_internal_info
      assert.ok(wait && refused_strangers)
      if (isBefore) {
        const earlier = { ...refused_strangers, at: new Date(0).toISOString() }
        const changed = { ...driver_internal_info, refused_strangers: earlier }
        await trial.store.nodes.update(uuid, { driver_internal_info: changed })
      }

      const over = new Date(Date.now() - 1).toISOString()
      await trial.store.nodes.update(uuid, { wait: { ...wait, deadline: over } })
      await trial.conductor.checkDeadlines()
      const { last_error } = await trial.untilState(uuid, 'deploy failed')

      assert.match(last_error ?? '', /no agent has called\./)
      assert.match(last_error ?? '', told)
    }
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
