import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bmcByHand, imagesOnPaper, startTrial } from './trial.ts'

describe('drivers', () => {
  it('are the enabled hardware types, each with its interfaces and the properties of its plugins', async (t) => {
    const trial = await startTrial(t)

    const [fake] = trial.conductor.drivers()

    assert.deepEqual([fake?.name, fake?.hosts], ['fake-hardware', ['rackstrap']])
    assert.deepEqual(fake?.interfaces, {
      bios: ['no-bios'],
      boot: ['ipxe'],
      console: ['no-console'],
      deploy: ['direct'],
      firmware: ['no-firmware'],
      inspect: ['no-inspect'],
      management: ['fake'],
      network: ['noop'],
      power: ['fake'],
      raid: ['no-raid', 'agent'],
      rescue: ['no-rescue'],
      storage: ['noop'],
      vendor: ['no-vendor'],
    })
    assert.ok(fake?.properties.image_http_proxy)
  })
})

describe('interfaces of a new node', () => {
  it('are the first enabled ones, or those that it names', async (t) => {
    const { conductor } = await startTrial(t)

    assert.equal(conductor.chooseInterfaces('fake-hardware', {}).deploy, 'direct')
    assert.equal(conductor.chooseInterfaces('fake-hardware', { power: 'fake' }).power, 'fake')
  })

  it('are refused when they are not enabled, and so is a driver, in words that clients know', async (t) => {
    const { conductor } = await startTrial(t)

    assert.throws(() => conductor.chooseInterfaces('fake-hardware', { deploy: 'bootc' }), {
      name: 'InvalidParameterValue',
      message:
        "Could not find the following interface in the 'ironic.hardware.interfaces.deploy' entrypoint: bootc. Valid interfaces are ['direct'].",
    })
    assert.throws(() => conductor.chooseInterfaces('redfish', {}), {
      name: 'InvalidParameterValue',
      message:
        'No valid host was found. Reason: No conductor service registered which supports driver redfish for conductor group "".',
    })
  })
})

describe('validate', () => {
  it('tells of each interface whether it is fit, or that there is none', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode()

    const { boot, deploy, management, network, power, raid, storage } = await trial.conductor.validate(uuid)

    for (const result of [boot, deploy, management, network, power, storage]) assert.deepEqual(result, { result: true })
    assert.deepEqual(raid, {
      result: false,
      reason: 'Driver fake-hardware does not support raid (disabled or not implemented).',
    })
  })

  it('tells what is missing, each where it belongs', async (t) => {
    const images = imagesOnPaper({
      validate() {
        throw new Error('no image_source')
      },
    })
    const trial = await startTrial(t, { images })
    const { uuid } = await trial.createNode({}, null)

    const { boot, deploy } = await trial.conductor.validate(uuid)

    assert.deepEqual(boot, { result: false, reason: `Node ${uuid} does not have any port associated with it.` })
    assert.deepEqual(deploy, { result: false, reason: 'no image_source' })
  })
})

describe('power', () => {
  it('is switched behind the answer, and written down', async (t) => {
    const { hand, driver } = bmcByHand()
    const trial = await startTrial(t, { bmc: driver })
    const { uuid } = await trial.createNode()

    await trial.conductor.power(uuid, 'power on')
    await trial.untilLine('power changed', { power_state: 'power on' })

    assert.equal(hand.state, 'power on')
    assert.deepEqual([trial.node(uuid).power_state, trial.node(uuid).target_power_state], ['power on', null])
  })

  it('that cannot be switched leaves its reason in last_error', async (t) => {
    const { hand, driver } = bmcByHand()
    const trial = await startTrial(t, { bmc: driver })
    const { uuid } = await trial.createNode()
    hand.isGone = true

    await trial.conductor.power(uuid, 'power on')
    await trial.until('last_error', () => trial.node(uuid).last_error)

    assert.equal(
      trial.node(uuid).last_error,
      "Failed to change power state to 'power on' by 'power on': BMC 10.0.0.1 did not answer",
    )
  })

  it('is refused when it is no power state, when it must not be off, and while somebody holds the node', async (t) => {
    const trial = await startTrial(t, { ini: '[conductor]\nnode_locked_retry_attempts = 0\n' })
    const { uuid } = await trial.createNode({ disable_power_off: true })

    await assert.rejects(trial.conductor.power(uuid, 'half' as never), {
      code: 400,
      message: 'The driver fake-hardware does not support the power state, half',
    })
    await assert.rejects(trial.conductor.power(uuid, 'power off'), { code: 400, message: /has disable_power_off set/ })
    await trial.conductor.withNode(uuid, 'test', async () => {
      await assert.rejects(trial.conductor.power(uuid, 'power on'), { name: 'NodeLocked', code: 409 })
    })
  })

  it('is read from all machines now and then; a BMC that is gone is told once', async (t) => {
    const { hand, driver } = bmcByHand()
    const trial = await startTrial(t, { bmc: driver })
    const { uuid } = await trial.createNode()
    hand.state = 'power on'

    await trial.conductor.syncPowerStates()
    assert.equal(trial.node(uuid).power_state, 'power on')
    hand.isGone = true
    await trial.conductor.syncPowerStates()
    await trial.conductor.syncPowerStates()

    assert.equal(trial.lines.filter(({ message }) => message === 'power state cannot be read').length, 1)
  })
})

describe('power state that is read', () => {
  it('does not overrule what was switched while the BMC thought about it', async (t) => {
    const { driver } = bmcByHand()
    const { promise: answer, resolve } = Promise.withResolvers<'power off'>()
    const trial = await startTrial(t, { bmc: { ...driver, getPowerState: () => answer } })
    const { uuid } = await trial.createNode({ power_state: null })

    const reading = trial.conductor.syncPowerStates()
    await trial.store.nodes.update(uuid, { power_state: 'power on' })
    resolve('power off')
    await reading

    assert.equal(trial.node(uuid).power_state, 'power on')
  })
})

describe('hold on a node', () => {
  it('ends also when the work under it fails', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode()
    const failing = trial.conductor.withNode(uuid, 'test', () => Promise.reject(new Error('no luck')))

    await assert.rejects(failing, { message: 'no luck' })

    assert.equal(trial.node(uuid).reservation, null)
    await trial.conductor.withNode(uuid, 'test', async () => assert.equal(trial.node(uuid).reservation, 'rackstrap'))
  })
})

describe('boot device', () => {
  it('is set at once, and remembered for BMCs that forget it', async (t) => {
    const { hand, driver } = bmcByHand()
    const trial = await startTrial(t, { bmc: driver })
    const { uuid } = await trial.createNode()

    await trial.conductor.setBootDevice(uuid, 'disk', true)

    assert.deepEqual(hand.devices, ['disk true'])
    assert.deepEqual(trial.node(uuid).driver_internal_info, { persistent_boot_device: 'disk' })
    assert.deepEqual(trial.conductor.supportedBootDevices(uuid), ['pxe', 'disk'])
  })

  it('is refused when the driver has no such one', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode()

    await assert.rejects(trial.conductor.setBootDevice(uuid, 'floppy', false), {
      code: 400,
      message: 'Invalid boot device floppy specified. The driver fake-hardware supports pxe.',
    })
  })
})

describe('node that is on its way, and nobody is at it', () => {
  it('is taken up by the next look at the deadlines', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ provision_state: 'deleting', power_state: 'power on' })

    await trial.conductor.checkDeadlines()

    await trial.untilState(uuid, 'available')
  })
})

describe('recovery after a start', () => {
  it('waits for a node that a client holds, and is not harmed by a look at the deadlines at the same time', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ provision_state: 'deleting', power_state: 'power on' })

    await trial.conductor.withNode(uuid, 'node update', async () => {
      await Promise.all([trial.conductor.recover(), trial.conductor.checkDeadlines()])
      assert.equal(trial.node(uuid).provision_state, 'deleting')
    })

    await trial.untilState(uuid, 'available')
    assert.deepEqual(trial.states(), ['cleaning', 'available'])
  })
})

describe('appliance that stops', () => {
  it('leaves a deploy as it is, within a second: it goes on after the next start', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode()
    await trial.conductor.provision(uuid, { target: 'active' })
    await trial.untilState(uuid, 'wait call-back')

    const before = performance.now()
    await trial.conductor.stop()

    assert.ok(performance.now() - before < 1000)
    assert.equal(trial.node(uuid).provision_state, 'wait call-back')
  })
})
