import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { InvalidParameterValue } from '../../../appliance/errors.ts'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { newPort } from '../../../appliance/records/kinds/port.ts'
import { bmcByHand, imagesOnPaper, MAC, startTrial, type TrialOptions } from './trial.ts'

const INSPECTING = '[DEFAULT]\nenabled_inspect_interfaces = agent, fake, no-inspect\n'
const OTHER_MAC = '52:54:00:12:34:57'
const NOT_FOUND = { name: 'NotFound', code: 404, message: 'Resource could not be found.' }

const INVENTORY = {
  interfaces: [
    { name: 'eth0', mac_address: MAC, ipv4_address: '172.22.0.57' },
    { name: 'eth1', mac_address: OTHER_MAC.toUpperCase(), ipv4_address: null },
  ],
  cpu: { architecture: 'x86_64', count: 2 },
  boot: { current_boot_mode: 'bios', pxe_interface: MAC },
}
const found = (more: Json = {}, inventory: Json = {}) => ({
  inventory: { ...INVENTORY, ...inventory },
  plugin_data: { error: null, ...more },
})

async function inspected(t: TestContext, by: string, options: TrialOptions & { node?: Partial<Node> } = {}) {
  const { hand, driver } = bmcByHand()
  const trial = await startTrial(t, { ...options, bmc: driver, ini: INSPECTING + (options.ini ?? '') })
  const { interfaces } = await trial.createNode({}, null)
  const { uuid } = await trial.createNode({
    provision_state: 'manageable',
    ...options.node,
    interfaces: { ...interfaces, inspect: by },
  })
  const inspect = () => trial.conductor.provision(uuid, { target: 'inspect' })
  const waiting = async () => {
    await inspect()
    return trial.untilState(uuid, 'inspect wait')
  }
  const ports = () =>
    trial.store.ports.where('node_uuid', uuid).map(({ address, pxe_enabled }) => [address, pxe_enabled])
  return { trial, hand, uuid, inspect, waiting, ports }
}

describe('inspect by fake', () => {
  it('ends at once, and says when', async (t) => {
    const { trial, uuid, inspect } = await inspected(t, 'fake')

    await inspect()
    const node = await trial.untilState(uuid, 'manageable')

    assert.deepEqual(trial.states(), ['inspecting', 'manageable'])
    assert.ok(Date.parse(node.inspection_finished_at ?? '') >= Date.parse(node.inspection_started_at ?? ''))
    assert.equal(node.last_error, null)
  })
})

describe('inspect by no-inspect', () => {
  it('is refused, and changes nothing', async (t) => {
    const { trial, uuid, inspect } = await inspected(t, 'no-inspect')

    await assert.rejects(inspect(), {
      code: 400,
      message: 'Driver fake-hardware does not support inspect (disabled or not implemented).',
    })
    assert.equal(trial.node(uuid).provision_state, 'manageable')
  })
})

describe('inspect by the agent', () => {
  it('boots the machine, and hands it an address to report to, and none to look itself up at', async (t) => {
    const { trial, hand, waiting } = await inspected(t, 'agent', {
      ini: '[inspector]\nextra_kernel_params = ipa-collect-lldp=1\n',
    })

    await waiting()
    const boot = await trial.conductor.bootAsked(MAC)

    assert.deepEqual(hand.switched, ['power on'])
    assert.equal(boot.kind, 'agent')
    const [[name, address] = [], lldp, ...others] = boot.kind === 'agent' ? boot.parameters : []
    assert.equal(name, 'ipa-inspection-callback-url')
    assert.match(String(address), /^http:\/\/172\.22\.0\.1:6385\/agent\/~[\w-]{32}\/v1\/continue_inspection$/)
    assert.deepEqual(lldp, ['ipa-collect-lldp', '1'])
    assert.ok(!others.some(([key]) => key === 'ipa-api-url'))
  })

  it('gives both addresses where its agent is to go on with the next procedure', async (t) => {
    const { trial, waiting } = await inspected(t, 'agent', { ini: '[deploy]\nfast_track = True\n' })

    await waiting()
    const boot = await trial.conductor.bootAsked(MAC)

    const names = boot.kind === 'agent' ? boot.parameters.map(([name]) => name) : []
    assert.deepEqual(names.slice(0, 2), ['ipa-inspection-callback-url', 'ipa-api-url'])
  })

  it('takes its report: properties, ports and the inventory; then the machine is off', async (t) => {
    const { trial, hand, uuid, waiting, ports } = await inspected(t, 'agent')
    await waiting()

    const answer = await trial.conductor.continueInspection(found({ root_disk: { name: '/dev/vda' }, logs: 'H4sI' }))
    const node = await trial.untilState(uuid, 'manageable')

    assert.equal(answer.uuid, uuid)
    assert.deepEqual(trial.states(), ['inspecting', 'inspect wait', 'inspecting', 'manageable'])
    assert.deepEqual(node.properties, { cpu_arch: 'x86_64' })
    assert.deepEqual(ports(), [[MAC, true]])
    assert.deepEqual([hand.state, node.power_state, node.last_error, node.wait], ['power off', 'power off', null, null])
    const { inventory, plugin_data } = await trial.conductor.inventory(uuid)
    assert.deepEqual(inventory, INVENTORY)
    assert.deepEqual(plugin_data.root_disk, { name: '/dev/vda' })
    assert.deepEqual(plugin_data.macs, [MAC])
    assert.ok(!('logs' in plugin_data))
  })

  it('adds a port for each card, or for none, and removes those of cards that are gone', async (t) => {
    const ini = '[inspector]\nadd_ports = all\nkeep_ports = present\n'
    const { trial, uuid, waiting, ports } = await inspected(t, 'agent', { ini })
    await trial.store.ports.create(newPort({ address: '52:54:00:00:00:01', node_uuid: uuid }))
    await waiting()

    await trial.conductor.continueInspection(found())
    await trial.untilState(uuid, 'manageable')

    assert.deepEqual(ports(), [
      [MAC, true],
      [OTHER_MAC, false],
    ])
  })

  it('leaves a port with the node that has it', async (t) => {
    const { trial, uuid, waiting, ports } = await inspected(t, 'agent', { ini: '[inspector]\nadd_ports = all\n' })
    await waiting()
    const other = await trial.createNode({}, null)
    await trial.conductor.withNode(uuid, 'test', async () => {
      await trial.conductor.continueInspection(found())
      await trial.store.ports.create(newPort({ address: OTHER_MAC, node_uuid: other.uuid }))
    })
    await trial.untilState(uuid, 'manageable')

    assert.deepEqual(ports(), [[MAC, true]])
    assert.equal(trial.store.ports.by('address', OTHER_MAC)?.node_uuid, other.uuid)
  })

  it('fails with what the agent could not do, and the machine is off', async (t) => {
    const { trial, hand, uuid, waiting } = await inspected(t, 'agent')
    await waiting()

    await trial.conductor.continueInspection(found({ error: 'no disks \u001b[2Jfound' }))
    const { last_error } = await trial.untilState(uuid, 'inspect failed')
    await trial.until('power off', () => hand.state === 'power off')

    assert.equal(
      last_error,
      'Failed to finish inspection: failed to run inspection hooks: Error in preprocess hook ramdisk-error: Ramdisk reported error: no disks found',
    )
    await assert.rejects(trial.conductor.inventory(uuid), {
      code: 404,
      message: `Node inventory record for node ${uuid} could not be found.`,
    })
  })

  it('is aborted while it waits', async (t) => {
    const { trial, hand, uuid, waiting } = await inspected(t, 'agent')
    await waiting()

    await trial.conductor.provision(uuid, { target: 'abort' })
    const { last_error } = await trial.untilState(uuid, 'inspect failed')

    assert.equal(last_error, 'Inspection was aborted by request.')
    await trial.until('power off', () => hand.state === 'power off')
    await assert.rejects(trial.conductor.continueInspection(found()), NOT_FOUND)
  })

  it('waits no longer than [conductor] inspect_wait_timeout', async (t) => {
    const { trial, uuid, inspect } = await inspected(t, 'agent', { ini: '[conductor]\ninspect_wait_timeout = 1\n' })

    await inspect()
    const { last_error } = await trial.untilState(uuid, 'inspect failed')

    assert.equal(
      last_error,
      'timeout reached while inspecting the node ([conductor] inspect_wait_timeout 1 s): the agent did not report what it found. ' +
        "Look at the machine's screen, and whether it boots from the network.",
    )
  })

  it('stays on afterwards where [inspector] power_off is false', async (t) => {
    const { trial, hand, uuid, waiting } = await inspected(t, 'agent', { ini: '[inspector]\npower_off = false\n' })
    await waiting()

    await trial.conductor.continueInspection(found())
    await trial.untilState(uuid, 'manageable')

    assert.equal(hand.state, 'power on')
  })

  it('goes on after a restart with a report that had just come', async (t) => {
    const { trial, uuid, waiting } = await inspected(t, 'agent')
    await waiting()
    await trial.conductor.withNode(uuid, 'test', async () => {
      await trial.conductor.continueInspection(found())
    })
    await trial.conductor.recover()

    const node = await trial.untilState(uuid, 'manageable')
    assert.deepEqual(node.properties, { cpu_arch: 'x86_64' })
  })
})

describe('report of an agent', () => {
  it('is of no node that does not wait for one, nor of one that two names fit', async (t) => {
    const { trial, waiting } = await inspected(t, 'agent')
    const other = await trial.createNode({ provision_state: 'manageable' }, OTHER_MAC)

    await assert.rejects(trial.conductor.continueInspection(found()), NOT_FOUND)
    await waiting()
    await assert.rejects(trial.conductor.continueInspection(found()), NOT_FOUND)
    await assert.rejects(trial.conductor.continueInspection({ ...found(), node_uuid: other.uuid }), NOT_FOUND)
    await assert.rejects(trial.conductor.continueInspection({ inventory: {}, plugin_data: {} }), { code: 400 })
  })

  it('counts only from the machine that was started', async (t) => {
    const ini = '[api]\ncheck_boot_number = True\n'
    const { trial, uuid, waiting } = await inspected(t, 'agent', { ini })
    await waiting()
    const boot = await trial.conductor.bootAsked(MAC, '172.22.0.57')
    const [[, address] = ['', '']] = boot.kind === 'agent' ? boot.parameters : []
    const number = /~[\w-]{32}/.exec(address)?.[0] ?? ''

    await assert.rejects(trial.conductor.continueInspection(found(), { address: '172.22.0.66' }), NOT_FOUND)
    const wrong = { address: '172.22.0.57', number: `~${'A'.repeat(32)}` }
    await assert.rejects(trial.conductor.continueInspection(found(), wrong), NOT_FOUND)
    await trial.conductor.continueInspection(found(), { address: '172.22.0.57', number })

    await trial.untilState(uuid, 'manageable')
    assert.match(
      String(trial.node(uuid).driver_internal_info.refused_strangers?.last),
      /^Inspection report of node .* with a number that is not that of this boot: not taken\./,
    )
  })

  it('finds its node by the address of its BMC, and is refused when cards and BMC disagree', async (t) => {
    const node = { driver_info: { ipmi_address: '10.0.0.7' } }
    const { trial, uuid, waiting, ports } = await inspected(t, 'agent', { node })
    await waiting()
    const waitsToo = { provision_state: 'inspect wait', driver_info: { ipmi_address: '10.0.0.8' } } as const
    await trial.createNode(waitsToo, null)
    const other = { interfaces: [{ name: 'eth0', mac_address: OTHER_MAC, ipv4_address: '172.22.0.57' }], boot: {} }

    await assert.rejects(trial.conductor.continueInspection(found({}, { bmc_address: '10.0.0.8' })), NOT_FOUND)
    const answer = await trial.conductor.continueInspection(found({}, { ...other, bmc_address: '10.0.0.7' }))

    assert.equal(answer.uuid, uuid)
    await trial.untilState(uuid, 'manageable')
    assert.deepEqual(ports(), [
      [MAC, false],
      [OTHER_MAC, false],
    ])
  })
})

describe('inspection rules', () => {
  const set = (path: string, value: unknown) => ({ op: 'set-attribute', args: { path, value } })
  const ruled = async (t: TestContext, ...actions: { op: string; args: Json }[]) => {
    const images = imagesOnPaper({
      validate() {
        throw new InvalidParameterValue('no image_source')
      },
    })
    const scene = await inspected(t, 'agent', { images })
    const { inspection_rules } = scene.trial.store
    await inspection_rules.create(inspection_rules.draft({ actions_secret: actions }))
    await scene.waiting()
    await scene.trial.conductor.continueInspection(found())
    return scene
  }

  it('go over what hooks have made of it, and change node and plugin data', async (t) => {
    const { trial, uuid } = await ruled(t, set('extra/arch', '{node.properties[cpu_arch]}'), {
      op: 'set-plugin-data',
      args: { path: 'seen', value: 'yes' },
    })

    const node = await trial.untilState(uuid, 'manageable')

    assert.deepEqual(node.extra, { arch: 'x86_64' })
    assert.equal((await trial.conductor.inventory(uuid)).plugin_data.seen, 'yes')
  })

  it('fail the inspection in their own words; what they did before it counts', async (t) => {
    const { trial, uuid } = await ruled(t, set('description', 'odd'), { op: 'fail', args: { msg: 'no such machine' } })

    const { last_error, description } = await trial.untilState(uuid, 'inspect failed')

    assert.match(String(last_error), /^Failed to finish inspection: .*no such machine/)
    assert.equal(description, 'odd')
  })

  it('have the node go on until it is available, as if an operator had asked', async (t) => {
    const { trial, uuid } = await ruled(t, set('target_provision_state', 'available'))

    const node = await trial.untilState(uuid, 'available')
    await trial.until('arrival', () => trial.node(uuid).driver_internal_info.after_inspection === undefined)

    assert.deepEqual(trial.states().slice(-3), ['manageable', 'cleaning', 'available'])
    assert.equal(node.last_error, null)
  })

  it('leave the next word to an operator where it cannot go on', async (t) => {
    const { trial, uuid } = await ruled(t, set('target_provision_state', 'active'))

    await trial.untilState(uuid, 'available')
    const { last_error } = await trial.until('the reason', () => {
      const node = trial.node(uuid)
      return node.last_error !== null && node
    })

    assert.match(String(last_error), /^The node could not go on to active after its inspection: /)
    assert.equal(trial.node(uuid).driver_internal_info.after_inspection, undefined)
  })
})
