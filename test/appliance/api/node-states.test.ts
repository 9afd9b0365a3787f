import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { BASE, enrolled, type Json, openRig, type RigOptions } from './rig.ts'

async function withNode(t: TestContext, options: RigOptions = {}) {
  const rig = await openRig(t, options)
  const { uuid } = await enrolled(rig.ask, { name: 'n1', driver: 'fake-hardware' })
  return { ...rig, uuid, path: `/v1/nodes/${uuid}` }
}

describe('PUT states/provision', () => {
  it('hands the order to the conductor, and tells where to look for the outcome', async (t) => {
    const { ask, conductor, uuid } = await withNode(t)
    const deploy_steps = [{ interface: 'deploy', step: 'erase', args: {}, priority: '85' }]

    const { status, text, headers } = await ask('PUT', '/v1/nodes/n1/states/provision', {
      target: 'active',
      configdrive: 'H4sIAAAA',
      deploy_steps,
      clean_steps: null,
    })

    assert.deepEqual([status, text], [202, ''])
    assert.equal(headers.get('location'), `${BASE}/v1/nodes/n1/states`)
    const request = { target: 'active', configdrive: 'H4sIAAAA', deploy_steps: [{ ...deploy_steps[0], priority: 85 }] }
    assert.deepEqual(conductor.asked, [{ verb: 'provision', uuid, with: request }])
  })

  it('takes a config drive as a text, a URL or an object', async (t) => {
    const { ask, path } = await withNode(t)
    const drives = [
      'H4sI\nAAAA==',
      'https://drives.example/1',
      { meta_data: { a: 1 }, user_data: ['x'], vendor_data: {} },
    ]

    for (const configdrive of drives) {
      const { status, text } = await ask('PUT', `${path}/states/provision`, { target: 'rebuild', configdrive })

      assert.equal(status, 202, text)
    }
  })

  const refused: readonly { body: Json; fault: string | RegExp; status?: number; version?: string }[] = [
    { body: {}, fault: "Schema error for provision: 'target' is a required property" },
    { body: { target: 1 }, fault: 'Schema error for provision: target is 1: expected a string' },
    {
      body: { target: 'provide', configdrive: 'H4sI' },
      fault: 'Adding a config drive is only supported when setting provision state to active, deploy, rebuild',
    },
    {
      body: { target: 'active', configdrive: '{"meta_data": {}}' },
      fault: 'Invalid configdrive format: it is neither a JSON, nor a URL, nor a base64 string',
    },
    {
      body: { target: 'active', configdrive: { metadata: {} } },
      fault:
        "Schema error for provision/configdrive: Additional properties are not allowed ('metadata' was unexpected)",
    },
    {
      body: { target: 'active', configdrive: { meta_data: {} } },
      version: '1.55',
      fault: 'Providing a JSON object for configdrive is only supported starting with API version 1.56',
    },
    {
      body: { target: 'manage', clean_steps: [{ interface: 'deploy', step: 'erase' }] },
      fault: '"clean_steps" is only valid when setting target provision state to clean',
    },
    { body: { target: 'clean' }, fault: '"clean_steps" is required when setting target provision state to clean' },
    {
      body: { target: 'clean', clean_steps: [{ interface: 'boot', step: 'erase' }] },
      fault:
        "Schema error for provision: clean_steps/0/interface is 'boot': expected one of vendor, power, management, firmware, deploy, bios, raid",
    },
    {
      body: { target: 'active', deploy_steps: [{ interface: 'deploy', step: 'x', args: {} }] },
      fault: "Schema error for provision: 'deploy_steps/0/priority' is a required property",
    },
    {
      body: { target: 'rescue', rescue_password: ' ' },
      fault: 'A non-empty "rescue_password" is required when setting target provision state to rescue',
    },
    {
      body: { target: 'active', disable_ramdisk: true },
      fault: 'disable_ramdisk is supported only with manual cleaning or servicing',
    },
    { body: { target: 'service', runbook: 'mend' }, status: 404, fault: 'Runbook mend could not be found.' },
    { body: { target: 'manage' }, version: '1.3', status: 406, fault: /should be 1\.4$/ },
    { body: { target: 'deploy' }, version: '1.72', status: 406, fault: /should be 1\.73$/ },
    { body: { target: 'unhold' }, version: '1.84', status: 406, fault: /should be 1\.85$/ },
  ]
  it('says what does not go together', async (t) => {
    const { ask, path, conductor } = await withNode(t)

    for (const { body, fault, status = 400, version = '1.115' } of refused) {
      const answer = await ask('PUT', `${path}/states/provision`, body, { version })

      assert.equal(answer.status, status, answer.text)
      if (fault instanceof RegExp) assert.match(answer.fault, fault)
      else assert.equal(answer.fault, fault)
    }
    assert.deepEqual(conductor.asked, [])
  })

  it('lets the conductor say what does not fit the state, in Ironic’s words', async (t) => {
    const { ask } = await openRig(t, { conductor: (real) => real })
    const { uuid } = await enrolled(ask)

    for (const target of ['active', 'dance']) {
      const { status, fault } = await ask('PUT', `/v1/nodes/${uuid}/states/provision`, { target })

      assert.equal(status, 400)
      assert.equal(
        fault,
        `The requested action "${target}" can not be performed on node "${uuid}" while it is in state "enroll".`,
      )
    }
  })
})

describe('PUT states/power', () => {
  it('hands target and timeout to the conductor', async (t) => {
    const { ask, path, uuid, conductor } = await withNode(t)

    const { status } = await ask('PUT', `${path}/states/power`, { target: 'soft power off', timeout: '30' })

    assert.equal(status, 202)
    assert.deepEqual(conductor.asked, [{ verb: 'power', uuid, with: { target: 'soft power off', timeout_s: 30 } }])
  })

  it('refuses what is no power state, no time, too new, or during cleaning', async (t) => {
    const { ask, path, uuid, store, conductor } = await withNode(t)
    const refusal = async (body: Json, version = '1.115') => {
      const { status, fault } = await ask('PUT', `${path}/states/power`, body, { version })
      return `${status} ${fault}`
    }

    assert.equal(
      await refusal({ target: 'asleep' }),
      `400 The requested action "asleep" can not be performed on node "${uuid}" while it is in state "null".`,
    )
    assert.equal(await refusal({ target: 'power on', timeout: 0 }), '400 timeout has to be positive integer')
    assert.match(await refusal({ target: 'soft rebooting' }, '1.26'), /^406 /)
    await store.nodes.update(uuid, { provision_state: 'clean wait' })
    assert.match(await refusal({ target: 'power on' }), /while it is in state "clean wait"\.$/)
    assert.deepEqual(conductor.asked, [])
  })
})

describe('states, maintenance and management of a node', () => {
  it('tells the states', async (t) => {
    const { ask, path } = await withNode(t)

    assert.deepEqual((await ask('GET', `${path}/states`)).body, {
      console_enabled: false,
      last_error: null,
      power_state: null,
      provision_state: 'enroll',
      target_power_state: null,
      target_provision_state: null,
      provision_updated_at: null,
      raid_config: {},
      target_raid_config: {},
      boot_mode: null,
      secure_boot: null,
    })
  })

  it('sets maintenance with its reason, and clears both and the fault', async (t) => {
    const { ask, path, uuid, store } = await withNode(t)
    const stateOf = () => {
      const { maintenance, maintenance_reason, fault } = store.nodes.find(uuid)
      return [maintenance, maintenance_reason, fault]
    }

    const set = await ask('PUT', `${path}/maintenance`, { reason: 'fan' })
    assert.deepEqual([set.status, set.text, ...stateOf()], [202, '', true, 'fan', null])

    await store.nodes.update(uuid, { fault: 'power failure' })
    const cleared = await ask('DELETE', `${path}/maintenance`)
    assert.deepEqual([cleared.status, ...stateOf()], [202, false, null, null])

    await ask('PUT', `${path}/maintenance`)
    assert.deepEqual(stateOf(), [true, null, null])
  })

  it('does not set the maintenance of a locked node', async (t) => {
    const { ask, path, uuid, store } = await withNode(t)
    await store.nodes.update(uuid, { reservation: 'rack-1' })

    assert.equal((await ask('PUT', `${path}/maintenance`, {})).status, 409)
  })

  it('validates by interface', async (t) => {
    const { ask, path } = await withNode(t)

    const { status, body } = await ask('GET', `${path}/validate`)

    assert.equal(status, 200)
    assert.deepEqual(body.power, { result: true })
    assert.deepEqual(body.console, {
      result: false,
      reason: 'Driver fake-hardware does not support console (disabled or not implemented).',
    })
    assert.equal((body.boot as Json).result, false)
  })

  it('reads and sets the boot device', async (t) => {
    const { ask, path, uuid, conductor } = await withNode(t)
    const device = `${path}/management/boot_device`

    const supported = await ask('GET', `${device}/supported`)
    const current = await ask('GET', device)
    const set = await ask('PUT', device, { boot_device: 'pxe', persistent: 'True' })
    const wrong = await ask('PUT', device, { persistent: true })

    assert.deepEqual(supported.body, { supported_boot_devices: ['pxe'] })
    assert.deepEqual(current.body, { boot_device: 'pxe', persistent: false })
    assert.deepEqual([set.status, set.text], [204, ''])
    assert.deepEqual(conductor.asked, [{ verb: 'setBootDevice', uuid, with: { device: 'pxe', persistent: true } }])
    assert.equal(wrong.fault, "Schema error for boot_device: 'boot_device' is a required property")
  })

  it('is asked by the query as by the body, whose word counts', async (t) => {
    const { ask, path, uuid, conductor, store } = await withNode(t)

    const answers = [
      await ask('PUT', `${path}/management/boot_device?boot_device=pxe&persistent=true`),
      await ask('PUT', `${path}/management/boot_device?boot_device=pxe`, { boot_device: 'disk' }),
      await ask('PUT', `${path}/states/power?target=power%20on&timeout=60`),
      await ask('PUT', `${path}/states/provision?target=manage`),
      await ask('PUT', `${path}/maintenance?reason=tea`),
    ]

    assert.deepEqual(
      answers.map(({ status }) => status),
      [204, 204, 202, 202, 202],
    )
    assert.deepEqual(conductor.asked, [
      { verb: 'setBootDevice', uuid, with: { device: 'pxe', persistent: true } },
      { verb: 'setBootDevice', uuid, with: { device: 'disk', persistent: false } },
      { verb: 'power', uuid, with: { target: 'power on', timeout_s: 60 } },
      { verb: 'provision', uuid, with: { target: 'manage' } },
    ])
    assert.equal(store.nodes.find(uuid).maintenance_reason, 'tea')
    const odd = await ask('PUT', `${path}/states/power?target=power%20on&colour=red`)
    assert.match(odd.fault, /Additional properties are not allowed \('colour' was unexpected\)$/)
    const twice = await ask('PUT', `${path}/states/power?target=rebooting&target=rebooting`)
    assert.equal(twice.fault, 'Expected one value for target, and found 2')
  })

  it('validates what the query names', async (t) => {
    const { ask, path, uuid } = await withNode(t)
    const validate = (query: string, version?: string) =>
      ask('GET', `/v1/nodes/validate${query}`, undefined, version === undefined ? {} : { version })

    const { body } = await ask('GET', `${path}/validate`)

    for (const query of ['?node=n1', `?node=${uuid}`, `?node_uuid=${uuid}`])
      assert.deepEqual((await validate(query)).body, body, query)
    assert.deepEqual([(await validate('')).status, (await validate('?node_uuid=n1')).status], [400, 400])
    assert.deepEqual([(await validate('?node=n2')).status, (await validate('?node=n1', '1.4')).status], [404, 406])
  })

  it('switches no machine off that must not be: that is 409', async (t) => {
    const { ask, path, store, uuid } = await withNode(t)
    await store.nodes.update(uuid, { disable_power_off: true })

    for (const target of ['power off', 'soft power off']) {
      const { status, fault } = await ask('PUT', `${path}/states/power`, { target })

      assert.deepEqual([status, fault], [409, `Failed to set node power state to ${target}.`])
    }
    assert.equal((await ask('PUT', `${path}/states/power`, { target: 'rebooting' })).status, 202)
  })

  it('says what its driver cannot do', async (t) => {
    const { ask, path } = await withNode(t)

    const { status, fault } = await ask('PUT', `${path}/states/console`, { enabled: true })

    const text = 'Driver fake-hardware does not support console (disabled or not implemented).'
    assert.deepEqual([status, fault], [400, text])
    const { body } = await ask('GET', `${path}/states/console`)
    assert.deepEqual(body, { console_enabled: false, console_info: null })
  })

  it('has its console switched on, shown and switched off', async (t) => {
    const { ask, path, uuid, store } = await withNode(t, {
      ini: '[DEFAULT]\nenabled_console_interfaces = fake,no-console\n',
    })
    const switched = async (enabled: boolean) => {
      const { status } = await ask('PUT', `${path}/states/console`, { enabled })
      for (let tries = 0; tries < 500 && store.nodes.find(uuid).console_enabled !== enabled; tries++)
        await setTimeout(20)
      const shown = [`${path}/states/console`, `/v1/nodes/states/console/${uuid}`].map((each) => ask('GET', each))
      const [one, other] = await Promise.all(shown)
      assert.deepEqual(one?.body, other?.body)
      return [status, one?.body]
    }

    assert.deepEqual(await switched(true), [202, { console_enabled: true, console_info: {} }])
    assert.deepEqual(await switched(false), [202, { console_enabled: false, console_info: null }])
    assert.equal((await ask('PUT', `${path}/states/console`, {})).status, 400)
  })
})
