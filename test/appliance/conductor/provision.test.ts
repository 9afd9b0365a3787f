import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { BmcFailure } from '../../../appliance/errors.ts'
import { encodeConfigDrive } from '../../../appliance/images/config-drive.ts'
import type { BmcOnPaper } from '../hardware/hardware-on-paper.ts'
import { INSTANCE, imagesOnPaper, startTrial } from './trial.ts'

/** A machine whose BMC is gone. */
const brokenBmc: BmcOnPaper = {
  getPowerState: () => Promise.reject(new BmcFailure('BMC 10.0.0.1 did not answer. Is it plugged in?')),
}

describe('manage', () => {
  it('asks the BMC for the power state, and makes the node manageable', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ provision_state: 'enroll', power_state: null })

    await trial.conductor.provision(uuid, { target: 'manage' })
    const node = await trial.untilState(uuid, 'manageable')

    assert.deepEqual(trial.states(), ['verifying', 'manageable'])
    assert.deepEqual([node.power_state, node.last_error, node.target_provision_state], ['power off', null, null])
  })

  it('leaves the node in enroll when its BMC does not answer, and says so', async (t) => {
    const trial = await startTrial(t, { bmc: brokenBmc })
    const { uuid } = await trial.createNode({ provision_state: 'enroll' })

    await trial.conductor.provision(uuid, { target: 'manage' })
    await trial.untilLine('provision state changed', { to: 'enroll' })
    const { last_error } = await trial.untilState(uuid, 'enroll')

    assert.equal(
      last_error,
      `Failed to get power state for node ${uuid}. Error: BMC 10.0.0.1 did not answer. Is it plugged in?`,
    )
  })
})

describe('provide', () => {
  it('makes a manageable node available at once where automated cleaning is off', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ provision_state: 'manageable' })

    await trial.conductor.provision(uuid, { target: 'provide' })

    assert.equal(trial.node(uuid).provision_state, 'available')
    assert.equal(trial.node(uuid).reservation, null)
  })

  it('is refused for a retired node', async (t) => {
    const trial = await startTrial(t)
    const retired = await trial.createNode({ provision_state: 'manageable', retired: true }, null)

    await assert.rejects(trial.conductor.provision(retired.uuid, { target: 'provide' }), {
      code: 400,
      message: `The provide operation can't be performed on node ${retired.uuid} because it is retired.`,
    })
    assert.equal(trial.node(retired.uuid).provision_state, 'manageable')
  })
})

describe('deploy is refused', () => {
  const cases = [
    {
      of: 'a node in maintenance',
      fields: { maintenance: true },
      refusal: (uuid: string) => ({
        code: 400,
        message: `The provisioning operation can't be performed on node ${uuid} because it's in maintenance mode.`,
      }),
    },
    {
      of: 'a node that has no port',
      fields: {},
      mac: null,
      refusal: (uuid: string) => ({
        name: 'MissingParameterValue',
        message: `Failed to validate deploy or power info for node ${uuid}. Error: Node ${uuid} does not have any port associated with it.`,
      }),
    },
    {
      of: 'kernel parameters that hold a line break',
      fields: { driver_info: { kernel_append_params: 'nofb\nshell' } },
      refusal: (uuid: string) => ({
        code: 400,
        message: `Failed to validate deploy or power info for node ${uuid}. Error: kernel_append_params of node ${uuid}: Kernel parameters hold a line break or another control character. Remove it.`,
      }),
    },
    {
      of: 'a deploy interface that is not loaded',
      fields: { interfaces: { deploy: 'bootc' } as never },
      refusal: () => ({
        code: 400,
        message: /has the deploy interface "bootc", which is not loaded here \(loaded: direct\)/,
      }),
    },
  ]
  for (const { of, fields, refusal, mac } of cases) {
    it(`for ${of}, and nothing has changed`, async (t) => {
      const trial = await startTrial(t)
      const before = await trial.createNode(fields, mac)

      await assert.rejects(trial.conductor.provision(before.uuid, { target: 'active' }), refusal(before.uuid))

      assert.deepEqual(trial.node(before.uuid), before)
    })
  }

  it('for an image that cannot be right, in the words of whoever checked it', async (t) => {
    const images = imagesOnPaper({
      validate() {
        throw new Error('image_checksum is wrong')
      },
    })
    const trial = await startTrial(t, { images })
    const { uuid } = await trial.createNode()

    await assert.rejects(trial.conductor.provision(uuid, { target: 'active' }), {
      name: 'InvalidParameterValue',
      message: `Failed to validate deploy or power info for node ${uuid}. Error: image_checksum is wrong`,
    })
  })

  it('beyond [conductor] max_concurrent_deploy', async (t) => {
    const trial = await startTrial(t, { ini: '[conductor]\nmax_concurrent_deploy = 1\n' })
    const first = await trial.createNode()
    const second = await trial.createNode({}, '52:54:00:00:00:02')

    await trial.conductor.provision(first.uuid, { target: 'active' })

    await assert.rejects(trial.conductor.provision(second.uuid, { target: 'active' }), {
      code: 503,
      message:
        'Unable to process request at this time. The concurrent action limit for provisioning has been reached. Please contact your administrator and try again later.',
    })
  })

  it('while somebody holds the node', async (t) => {
    const trial = await startTrial(t, { ini: '[conductor]\nnode_locked_retry_attempts = 0\n' })
    const { uuid } = await trial.createNode()

    await trial.conductor.withNode(uuid, 'test', async () => {
      await assert.rejects(trial.conductor.provision(uuid, { target: 'active' }), {
        name: 'NodeLocked',
        code: 409,
        message: `Node ${uuid} is locked by host rackstrap, please retry after the current operation is completed.`,
      })
    })
  })
})

describe('config drive of a deploy', () => {
  const meta_data = { hostname: 'n1' }

  it('is kept in instance_info as it came, when it is a text or a URL', async (t) => {
    const configdrive = await encodeConfigDrive({ meta_data }, { uuid: 'u', name: 'n' }, AbortSignal.timeout(20_000))

    for (const given of [configdrive, 'https://drives.example/n1']) {
      const trial = await startTrial(t)
      const { uuid } = await trial.createNode()

      await trial.conductor.provision(uuid, { target: 'active', configdrive: given })

      assert.deepEqual(trial.node(uuid).instance_info, { ...INSTANCE, configdrive: given })
    }
  })

  it("is made from its parts, with the node's uuid and name: base64 of a gzipped ISO 9660 volume", async (t) => {
    const trial = await startTrial(t)
    const { uuid, name } = await trial.createNode()

    await trial.conductor.provision(uuid, { target: 'active', configdrive: { meta_data } })

    const volume = gunzipSync(Buffer.from(String(trial.node(uuid).instance_info.configdrive), 'base64'))
    const expected = JSON.stringify({ uuid, ...(name ? { name } : {}), ...meta_data })
    assert.ok(volume.includes(expected), expected)
  })

  it('is refused when it is neither, and when it holds other parts', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode()
    const refuses = (configdrive: unknown, message: RegExp) =>
      assert.rejects(trial.conductor.provision(uuid, { target: 'active', configdrive: configdrive as never }), {
        code: 400,
        message,
      })

    await refuses('file:///etc/shadow', /^The config drive is neither an address nor base64: /)
    await refuses('H4sIAAAA', /^The config drive cannot be unpacked: /)
    await refuses('aGVsbG8K', /^The config drive is base64 of something that is not gzipped: /)
    await refuses({ meta: {} }, /^configdrive holds "meta": expected only /)
    await refuses([meta_data], /^configdrive is a list: expected an object of /)
    assert.equal(trial.node(uuid).provision_state, 'available')
  })

  it('is refused when it is in instance_info already, where nobody looked at it', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ instance_info: { ...INSTANCE, configdrive: 'hello' } })

    await assert.rejects(trial.conductor.provision(uuid, { target: 'active' }), { code: 400, message: /neither/ })
  })
})

describe('lessee of a node', () => {
  const OURS = { ...INSTANCE, project_id: 'blue' }

  it('is the project of its instance, from its deploy to its undeploy', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ instance_info: OURS, instance_name: 'web-1' })

    await trial.conductor.provision(uuid, { target: 'active' })
    const { lessee } = await trial.untilState(uuid, 'wait call-back')
    await trial.conductor.provision(uuid, { target: 'deleted' })
    const after = await trial.untilState(uuid, 'available')

    assert.equal(lessee, 'blue')
    assert.deepEqual([after.lessee, after.instance_name, after.driver_internal_info], [null, null, {}])
  })

  it('stays as somebody gave it, and as it is where the operator wants none', async (t) => {
    const given = await startTrial(t)
    const none = await startTrial(t, { ini: '[conductor]\nautomatic_lessee = false\n' })
    const leased = await given.createNode({ instance_info: OURS, lessee: 'red' })
    const free = await none.createNode({ instance_info: OURS })

    await given.conductor.provision(leased.uuid, { target: 'active' })
    await none.conductor.provision(free.uuid, { target: 'active' })

    assert.deepEqual([given.node(leased.uuid).lessee, none.node(free.uuid).lessee], ['red', null])
  })
})

describe('undeploy', () => {
  it('switches the machine off, forgets the instance, and makes the node available', async (t) => {
    const images = imagesOnPaper()
    const trial = await startTrial(t, { images })
    const { uuid } = await trial.createNode({
      provision_state: 'active',
      power_state: 'power on',
      instance_uuid: '11111111-0000-4000-8000-000000000000',
      extra: { rack: 7 },
      driver_internal_info: { agent_secret_token: 'x', kept_by_driver: 1 },
    })

    await trial.conductor.provision(uuid, { target: 'deleted' })
    const node = await trial.untilState(uuid, 'available')

    assert.deepEqual(trial.states(), ['deleting', 'cleaning', 'available'])
    assert.deepEqual([node.instance_info, node.instance_uuid, node.power_state], [{}, null, 'power off'])
    assert.deepEqual([node.extra, node.driver_internal_info], [{ rack: 7 }, { kept_by_driver: 1 }])
    assert.deepEqual(images.released, [uuid])
  })

  it('leaves a pull secret bound to the registry of the instance that is gone', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({
      provision_state: 'active',
      driver_info: { image_pull_secret: 'hunter2' },
      instance_info: { image_source: 'oci://registry.example/app:1' },
    })

    await trial.conductor.provision(uuid, { target: 'deleted' })
    const { driver_internal_info } = await trial.untilState(uuid, 'available')

    assert.deepEqual(driver_internal_info.bound_to, {
      'driver_info/image_pull_secret': 'oci://registry.example/app:1',
    })
  })

  it('of a retired node leads to manageable', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ provision_state: 'active', retired: true })

    await trial.conductor.provision(uuid, { target: 'deleted' })

    await trial.untilState(uuid, 'manageable')
  })

  it('ends in error with the reason when the BMC is gone, and can be asked for again', async (t) => {
    const trial = await startTrial(t, { bmc: brokenBmc })
    const { uuid } = await trial.createNode({ provision_state: 'active' })

    await trial.conductor.provision(uuid, { target: 'undeploy' })
    const { last_error } = await trial.untilState(uuid, 'error')
    await trial.conductor.provision(uuid, { target: 'undeploy' })

    assert.equal(last_error, 'Failed to tear down. Error: BMC 10.0.0.1 did not answer. Is it plugged in?')
    await trial.untilState(uuid, 'error')
  })

  it('and rebuild are refused for a protected node', async (t) => {
    const trial = await startTrial(t)
    const { uuid } = await trial.createNode({ provision_state: 'active', protected: true })

    for (const target of ['deleted', 'rebuild']) {
      await assert.rejects(trial.conductor.provision(uuid, { target }), {
        name: 'Forbidden',
        code: 403,
        message: `Node ${uuid} is protected and cannot be undeployed, rebuilt or deleted`,
      })
    }
  })
})

describe('verb that this appliance cannot do', () => {
  for (const [state, target] of [
    ['manageable', 'inspect'],
    ['active', 'service'],
  ] as const) {
    it(`${target} is refused, and says so`, async (t) => {
      // Whatever is not in the list of procedures; the appliance's own has all.
      const trial = await startTrial(t, { procedures: [] })
      const before = await trial.createNode({ provision_state: state })

      await assert.rejects(trial.conductor.provision(before.uuid, { target }), {
        code: 400,
        message: `Driver fake-hardware does not support ${target} (disabled or not implemented). This appliance cannot do it for node ${before.uuid}.`,
      })
      assert.deepEqual(trial.node(before.uuid), before)
    })
  }
})
