import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DeployPlugin } from '../../../appliance/plugin-api/index.ts'
import { cleaning, manageable, offer } from './cleaning.ts'
import { DONE, pluginOf } from './odd-plugin.ts'
import { bmcByHand, INSTANCE, MAC } from './trial.ts'

describe('automated cleaning', () => {
  it('boots the agent, has it erase the metadata, and switches the machine off', async (t) => {
    const { hand, driver } = bmcByHand()

    const { trial, agent, uuid } = await cleaning(t, { bmc: driver })
    const waiting = trial.node(uuid)
    const boot = trial.conductor.machineBootOf(MAC)
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'available')

    assert.deepEqual([waiting.target_provision_state, waiting.clean_step], ['available', {}])
    assert.equal(boot.kind, 'agent')
    assert.deepEqual(agent.given, ['get_clean_steps', 'erase_devices_metadata'])
    assert.deepEqual(trial.steps(), ['deploy.erase_devices_metadata'])
    assert.deepEqual(trial.states(), ['cleaning', 'clean wait', 'cleaning', 'clean wait', 'cleaning', 'available'])
    assert.deepEqual(hand.switched, ['power on', 'power off'])
    assert.deepEqual(hand.devices, ['pxe false'])
    assert.deepEqual([node.clean_step, node.last_error, node.wait, node.maintenance], [{}, null, null, false])
    assert.deepEqual(Object.keys(node.driver_internal_info).sort(), ['agent_last_heartbeat', 'agent_version'])
    assert.deepEqual(trial.cleanings, ['clean'])
  })

  it('shows the step that the agent runs, and how far it is', async (t) => {
    const { promise: shown, resolve } = Promise.withResolvers<void>()
    const onStep = async (
      _step: string,
      _params: unknown,
      progress: (note: string, done: number, total: number) => void,
    ) => {
      progress('erasing metadata', 1, 2)
      await shown
    }

    const { trial, agent, uuid } = await cleaning(t, { agent: { onStep } })
    await agent.boot(trial.conductor)
    const line = await trial.untilLine('progress', { node: uuid, note: 'erasing metadata' })
    const { clean_step } = trial.node(uuid)
    resolve()
    await trial.untilState(uuid, 'available')

    assert.deepEqual(clean_step, { interface: 'deploy', step: 'erase_devices_metadata', priority: 99, abortable: true })
    assert.deepEqual([line.done, line.total], [1, 2])
  })

  it('gives the agent the step, the node and its ports in the words of cleaning', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { ini: '[deploy]\ndisk_erasure_concurrency = 8\n' })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    const { step, node, ports, clean_version } = agent.params[1] as Record<string, Record<string, unknown> & unknown[]>
    assert.deepEqual(step, { interface: 'deploy', step: 'erase_devices_metadata', args: {}, priority: 99 })
    assert.deepEqual(clean_version, { fake: '1.0' })
    assert.equal(node?.uuid, uuid)
    assert.partialDeepStrictEqual(node?.driver_internal_info, {
      ...{ agent_erase_devices_iterations: 1, agent_erase_devices_zeroize: true },
      ...{ agent_continue_if_secure_erase_failed: false, agent_continue_if_ata_erase_failed: false },
      ...{ agent_enable_nvme_secure_erase: true, agent_enable_ata_secure_erase: true },
      ...{ disk_erasure_concurrency: 8, agent_erase_skip_read_only: false },
    })
    assert.equal(ports?.length, 1)
  })

  it('runs the steps that have a priority, the highest first, by interface where that is equal', async (t) => {
    const cleans = [
      offer('wipe', 50, { interface: 'raid' }),
      offer('never', 0),
      offer('flash', 50, { interface: 'bios' }),
      offer('first', 60),
      offer('reset', 50, { interface: 'management' }),
    ]

    const { trial, agent, uuid } = await cleaning(t, { agent: { cleans } })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    assert.deepEqual(trial.steps(), ['deploy.first', 'management.reset', 'bios.flash', 'raid.wipe'])
  })

  it('follows the priorities of the configuration', async (t) => {
    const ini = `clean_step_priority_override = deploy.erase_devices_express:95, raid.none:7
      [deploy]\nerase_devices_priority = 97\nerase_devices_metadata_priority = 0\n`.replaceAll('\n      ', '\n')

    const { trial, agent, uuid } = await cleaning(t, { ini })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    assert.deepEqual(trial.steps(), ['deploy.erase_devices', 'deploy.erase_devices_express'])
  })

  it('leaves out what [api] disallow_clean_steps names, of the agent as of plugins', async (t) => {
    const cleans = [offer('erase_devices_metadata', 99), offer('wash', 50), offer('wax', 40)]
    const ini = '[api]\ndisallow_clean_steps = deploy.wash\n'

    const { trial, agent, uuid } = await cleaning(t, { agent: { cleans }, ini })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    assert.deepEqual(trial.steps(), ['deploy.erase_devices_metadata', 'deploy.wax'])
  })

  it('only boots the agent when no step has a priority', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { agent: { cleans: [offer('never', 0)] } })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    assert.deepEqual(agent.given, ['get_clean_steps'])
  })

  it('boots the agent again after a step of its that wishes so, and goes on', async (t) => {
    const cleans = [offer('flash', 90, { interface: 'bios', reboot_requested: true }), offer('erase', 50)]

    const { trial, agent, uuid } = await cleaning(t, { agent: { cleans } })
    await agent.boot(trial.conductor)
    await trial.until('second boot', () => trial.node(uuid).wait?.note === 'bios.flash wants a reboot')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    assert.deepEqual(agent.given, ['get_clean_steps', 'flash', 'get_clean_steps', 'erase'])
  })

  it('follows an undeploy: the instance is forgotten first', async (t) => {
    const { trial, agent, uuid } = await manageable(t, {
      fields: { provision_state: 'active', power_state: 'power on', instance_info: INSTANCE },
    })

    await trial.conductor.provision(uuid, { target: 'deleted' })
    const { instance_info, target_provision_state } = await trial.untilState(uuid, 'clean wait')
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    assert.deepEqual([instance_info, target_provision_state], [{}, 'available'])
    assert.deepEqual(trial.states().slice(0, 3), ['deleting', 'cleaning', 'clean wait'])
  })

  it('of a retired node leads to manageable', async (t) => {
    const fields = { provision_state: 'active', retired: true } as const
    const { trial, agent, uuid } = await manageable(t, { fields })

    await trial.conductor.provision(uuid, { target: 'deleted' })
    await trial.untilState(uuid, 'clean wait')
    await agent.boot(trial.conductor)

    await trial.untilState(uuid, 'manageable')
  })

  it('is what the node says, whatever the configuration says', async (t) => {
    const { trial, uuid } = await manageable(t, { fields: { automated_clean: false } })
    const wished = await trial.createNode({ provision_state: 'manageable', automated_clean: true }, '52:54:00:00:00:02')

    await trial.conductor.provision(uuid, { target: 'provide' })
    await trial.conductor.provision(wished.uuid, { target: 'provide' })

    assert.equal(trial.node(uuid).provision_state, 'available')
    await trial.untilState(wished.uuid, 'clean wait')
  })

  it('ends with a reboot where the machine must not be off', async (t) => {
    const { hand, driver } = bmcByHand()

    const { trial, agent, uuid } = await cleaning(t, { bmc: driver, fields: { disable_power_off: true } })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'available')

    assert.deepEqual(hand.switched, ['rebooting', 'rebooting'])
    assert.equal(trial.conductor.machineBootOf(MAC).kind, 'disk')
  })

  it('boots the agent for deploy interfaces that do without it, too', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { plugins: [pluginOf()] })
    await agent.boot(trial.conductor)

    await trial.untilState(uuid, 'available')
  })

  it('waits while the node is in maintenance, and goes on afterwards', async (t) => {
    const { trial, agent, uuid } = await cleaning(t, { fields: { maintenance: true } })
    await agent.boot(trial.conductor)
    await trial.untilState(uuid, 'clean wait')
    assert.deepEqual(agent.given, [])

    await trial.store.nodes.update(uuid, { maintenance: false })
    await agent.beat(trial.conductor)

    await trial.untilState(uuid, 'available')
  })
})

describe("a plugin's own clean steps", () => {
  const withCleanSteps = (
    steps: ReturnType<NonNullable<DeployPlugin['cleanSteps']>>,
    change: Partial<DeployPlugin> = {},
  ) => pluginOf({ cleanSteps: () => steps, ...change })

  it("run with the agent's, and cleanUp after them", async (t) => {
    const done: string[] = []
    const plugin = withCleanSteps(
      [
        {
          step: 'tell_inventory',
          priority: 50,
          async run(task) {
            await task.keep({ told: task.agent.steps().length })
            return DONE
          },
        },
        {
          step: 'erase_devices_metadata',
          priority: 20,
          async run(task) {
            done.push(String(task.kept.told))
            return DONE
          },
        },
      ],
      { cleanUp: async (task) => void done.push(`cleanUp ${task.kept.told}`) },
    )

    const { trial, agent, uuid } = await cleaning(t, { plugins: [plugin] })
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'available')

    // The plugin's hides the agent's of that name.
    assert.deepEqual(trial.steps(), ['deploy.tell_inventory', 'deploy.erase_devices_metadata'])
    assert.deepEqual(agent.given, ['get_clean_steps'])
    assert.deepEqual(done, ['3', 'cleanUp 3'])
    assert.equal(node.driver_internal_info.clean_kept, undefined)
  })
})

describe('manual cleaning', () => {
  const asked = (...clean_steps: object[]) => ({ target: 'clean', clean_steps: clean_steps as never })
  const step = (name: string, more: object = {}) => ({ interface: 'deploy', step: name, ...more })

  it('runs what was asked for, in that order, and ends where it began', async (t) => {
    const cleans = [
      offer('erase', 99),
      offer('burn_in', 0, { argsinfo: { hours: { description: 'how long' } } } as never),
    ]
    const request = asked(step('burn_in', { args: { hours: 2 } }), step('erase'), step('burn_in'))

    const { trial, agent, uuid } = await cleaning(t, { agent: { cleans } }, request)
    const { target_provision_state } = trial.node(uuid)
    await agent.boot(trial.conductor)
    const node = await trial.untilState(uuid, 'manageable')

    assert.equal(target_provision_state, 'manageable')
    assert.deepEqual(trial.steps(), ['deploy.burn_in', 'deploy.erase', 'deploy.burn_in'])
    assert.deepEqual((agent.params[1] as { step: object }).step, {
      ...{ interface: 'deploy', step: 'burn_in', args: { hours: 2 }, priority: 0 },
    })
    assert.deepEqual([node.target_provision_state, node.power_state, node.last_error], [null, 'power off', null])
    assert.deepEqual(Object.keys(node.driver_internal_info).sort(), ['agent_last_heartbeat', 'agent_version'])
  })

  for (const [what, clean_step, reason] of [
    [
      'a step that nobody has',
      step('brew'),
      'node does not support this clean step: deploy.brew (it has deploy.erase_devices, deploy.erase_devices_metadata, deploy.erase_devices_express)',
    ],
    [
      'arguments that a step does not take',
      step('erase_devices', { args: { speed: 9 } }),
      'clean step deploy.erase_devices has these unexpected arguments: speed',
    ],
  ] as const) {
    it(`fails for ${what}, before anything is done`, async (t) => {
      const { trial, agent, uuid } = await cleaning(t, {}, asked(step('erase_devices_metadata'), clean_step))
      await agent.boot(trial.conductor)
      const node = await trial.untilState(uuid, 'clean failed')

      assert.equal(node.last_error, `Node failed to start the first cleaning step: ${reason}`)
      assert.deepEqual(agent.given, ['get_clean_steps'])
      assert.deepEqual(
        [node.target_provision_state, node.maintenance, node.power_state],
        ['manageable', false, 'power off'],
      )
    })
  }

  it('does without the agent when it is asked to', async (t) => {
    const plugin = pluginOf({ cleanSteps: () => [{ step: 'blink', priority: 0, run: async () => DONE }] })

    const { trial, uuid } = await manageable(t, { plugins: [plugin], fields: { power_state: 'power on' } })
    await trial.conductor.provision(uuid, { ...asked(step('blink')), disable_ramdisk: true })
    await trial.until('the step', () => trial.steps().length === 1)
    const node = await trial.untilState(uuid, 'manageable')

    assert.deepEqual([node.power_state, node.last_error], ['power on', null])
    assert.deepEqual(trial.states(), ['cleaning', 'manageable'])
  })

  it('is refused in maintenance, for steps in no right shape, and for child nodes', async (t) => {
    const { trial, uuid } = await manageable(t)
    const before = trial.node(uuid)
    const clean = (...steps: object[]) => trial.conductor.provision(uuid, asked(...steps))

    await assert.rejects(clean({ step: 'x' }), { code: 400, message: /^clean_steps holds \{"step":"x"\}: expected / })
    await assert.rejects(clean(), { code: 400, message: 'clean_steps has 0 steps: 1 to 200 are taken.' })
    await assert.rejects(clean(step('x', { execute_on_child_nodes: true })), { code: 400, message: /on child nodes/ })
    assert.deepEqual(trial.node(uuid), before)
    await trial.store.nodes.update(uuid, { maintenance: true })
    await assert.rejects(clean(step('x')), {
      code: 400,
      message: `The cleaning operation can't be performed on node ${uuid} because it's in maintenance mode.`,
    })
  })

  it('is refused for a step that [api] disallow_clean_steps names, while reserved ones and others are done', async (t) => {
    const ini = '[api]\ndisallow_clean_steps = deploy.erase_devices, power.hold\n'
    const { trial, uuid } = await manageable(t, { ini })

    for (const [of, name] of [
      ['deploy', 'erase_devices'],
      ['power', 'hold'],
    ]) {
      await assert.rejects(trial.conductor.provision(uuid, asked(step('wait'), { interface: of, step: name })), {
        code: 400,
        message:
          `clean step '${of}.${name}' is not allowed. ` +
          'Disallowed by operator configuration [api]disallow_clean_steps.',
      })
    }

    assert.equal(trial.node(uuid).provision_state, 'manageable')
  })

  it('is refused for a node without a port, and beyond [conductor] max_concurrent_clean', async (t) => {
    const { trial, uuid } = await cleaning(t, { ini: 'max_concurrent_clean = 2\n' })
    const lonely = await trial.createNode({ provision_state: 'manageable' }, null)
    const clean = (node: string) => trial.conductor.provision(node, asked(step('erase_devices')))

    await assert.rejects(clean(lonely.uuid), {
      code: 400,
      message: `Validation of node ${lonely.uuid} for cleaning failed: Node ${lonely.uuid} does not have any port associated with it.`,
    })
    const second = await trial.createNode({ provision_state: 'manageable' }, '52:54:00:00:00:02')
    await clean(second.uuid)
    const third = await trial.createNode({ provision_state: 'manageable' }, '52:54:00:00:00:03')
    await assert.rejects(clean(third.uuid), { code: 503 })
    assert.equal(trial.node(uuid).provision_state, 'clean wait')
  })
})
