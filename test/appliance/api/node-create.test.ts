import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BASE, enrolled, openRig } from './rig.ts'

const UUID = '5f2c0d9e-6f0b-4c43-9df3-6f1f7f4b8f10'
const INSTANCE = 'b3f1ac1e-7e4f-4f4c-8d6a-3a0a1f1f9d11'
/** CONTRIBUTING.md, Node object. */
const KEYS =
  `uuid created_at updated_at automated_clean bios_interface boot_interface boot_mode clean_step conductor_group
  console_enabled console_interface disable_power_off deploy_interface deploy_step description driver driver_info
  driver_internal_info extra fault firmware_interface health inspection_finished_at inspection_started_at inspect_interface
  instance_info instance_name instance_uuid last_error lessee maintenance maintenance_reason management_interface name
  network_data network_interface owner parent_node power_interface power_state properties protected protected_reason
  provision_state provision_updated_at raid_config raid_interface rescue_interface reservation resource_class retired
  retired_reason secure_boot service_step shard storage_interface target_power_state target_provision_state
  target_raid_config traits vendor_interface conductor allocation_uuid chassis_uuid links portgroups ports states volume`.split(
    /\s+/,
  )

describe('POST /v1/nodes', () => {
  it('enrolls a node with the interfaces it names and the defaults for the others', async (t) => {
    const { ask, store } = await openRig(t)

    const { status, body, headers } = await ask('POST', '/v1/nodes', {
      driver: 'ipmi',
      deploy_interface: 'direct',
      name: 'n1',
      uuid: UUID.toUpperCase(),
      driver_info: { ipmi_address: '10.0.0.1', ipmi_password: 'hunter2' },
      properties: { cpus: 4 },
      automated_clean: 'False',
      resource_class: 'small',
      conductor_group: '',
    })

    assert.equal(status, 201)
    assert.equal(headers.get('location'), `${BASE}/v1/nodes/${UUID}`)
    assert.deepEqual(Object.keys(body).sort(), [...KEYS].sort())
    assert.equal(body.uuid, UUID)
    assert.equal(body.provision_state, 'enroll')
    assert.equal(body.deploy_interface, 'direct')
    assert.equal(body.power_interface, 'ipmitool')
    assert.equal(body.automated_clean, false)
    assert.equal(body.conductor, 'rack-1')
    assert.deepEqual(body.driver_info, { ipmi_address: '10.0.0.1', ipmi_password: '******' })
    assert.match(String(body.created_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)
    assert.equal(store.nodes.find('n1').driver_info.ipmi_password, 'hunter2')
  })

  it('makes a node available at once for versions that know no enroll', async (t) => {
    const { ask, store } = await openRig(t)

    const { body } = await ask('POST', '/v1/nodes', { driver: 'ipmi' }, { version: '1.10' })

    assert.equal(store.nodes.find(String(body.uuid)).provision_state, 'available')
  })

  const refused: readonly { what: string; body: object; status?: number; version?: string; fault: string | RegExp }[] =
    [
      {
        what: 'an unknown driver',
        body: { driver: 'redfysh' },
        fault:
          'No valid host was found. Reason: No conductor service registered which supports driver redfysh for conductor group "".',
      },
      {
        what: 'an unknown interface',
        body: { driver: 'ipmi', deploy_interface: 'indirect' },
        fault:
          "Could not find the following interface in the 'ironic.hardware.interfaces.deploy' entrypoint: indirect. Valid interfaces are ['direct'].",
      },
      {
        what: 'a name with a space',
        body: { driver: 'ipmi', name: 'rack one' },
        fault:
          "Cannot create node with invalid name 'rack one': expected 1 to 255 letters, digits and '-._~', not only dots, and no UUID.",
      },
      {
        what: 'a name that no path can hold',
        body: { driver: 'ipmi', name: '..' },
        fault:
          "Cannot create node with invalid name '..': expected 1 to 255 letters, digits and '-._~', not only dots, and no UUID.",
      },
      {
        what: 'a name that is a UUID',
        body: { driver: 'ipmi', name: UUID },
        fault: `Cannot create node with invalid name '${UUID}': expected 1 to 255 letters, digits and '-._~', not only dots, and no UUID.`,
      },
      {
        what: 'a name that is a word of our paths',
        body: { driver: 'ipmi', name: 'detail' },
        fault:
          'The word "detail" is reserved and can not be used as a node name. Reserved words are: maintenance, management, states, vendor_passthru, detail, validate.',
      },
      {
        what: 'a name in a version without names',
        body: { driver: 'ipmi', name: 'n1' },
        version: '1.4',
        status: 406,
        fault: /field name should be 1\.5/,
      },
      {
        what: 'a field of a later version',
        body: { driver: 'ipmi', resource_class: 'small' },
        version: '1.20',
        status: 406,
        fault: /field resource_class should be 1\.21/,
      },
      {
        what: 'a chassis that is not there',
        body: { driver: 'ipmi', chassis_uuid: UUID },
        fault: `Chassis ${UUID} could not be found.`,
      },
      {
        what: 'a parent that is not there',
        body: { driver: 'ipmi', parent_node: 'nobody' },
        fault:
          "Unable to apply the requested parent_node 'nobody'. Requested value was invalid: there is no such node.",
      },
    ]
  for (const { what, body, status = 400, version = '1.115', fault } of refused) {
    it(`refuses ${what}`, async (t) => {
      const { ask, store } = await openRig(t)

      const answer = await ask('POST', '/v1/nodes', body, { version })

      assert.equal(answer.status, status)
      if (fault instanceof RegExp) assert.match(answer.fault, fault)
      else assert.equal(answer.fault, fault)
      assert.equal(store.nodes.size, 0)
    })
  }

  it('refuses a uuid, a name or an instance that another node has', async (t) => {
    const { ask } = await openRig(t)
    await enrolled(ask, { uuid: UUID, name: 'n1', instance_uuid: INSTANCE })

    const answers = await Promise.all(
      [{ uuid: UUID }, { name: 'n1' }, { uuid: INSTANCE, instance_uuid: INSTANCE }].map((fields) =>
        ask('POST', '/v1/nodes', { driver: 'ipmi', ...fields }),
      ),
    )

    assert.deepEqual(
      answers.map(({ status, fault }) => [status, fault]),
      [
        [409, `A node with UUID ${UUID} already exists.`],
        [409, 'A node with name n1 already exists.'],
        [
          409,
          `Instance ${INSTANCE} is already associated with a node, it cannot be associated with this other node ${INSTANCE}`,
        ],
      ],
    )
  })
})

describe('GET /v1/nodes/{node}', () => {
  it('finds a node by its uuid and by its name', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask, { name: 'n1.rack~a_b-c' })

    for (const ident of [uuid, uuid.toUpperCase(), 'n1.rack~a_b-c']) {
      assert.equal((await ask('GET', `/v1/nodes/${ident}`)).body.uuid, uuid)
    }
  })

  it('tells a node that is not there from an identifier that cannot be one', async (t) => {
    const { ask } = await openRig(t)

    const absent = await ask('GET', '/v1/nodes/nobody')
    const none = await ask('GET', `/v1/nodes/${encodeURIComponent('../etc passwd')}`)

    assert.deepEqual([absent.status, absent.fault], [404, 'Node nobody could not be found.'])
    assert.deepEqual([none.status, none.fault], [400, 'Expected UUID or name for node_ident: ../etc passwd'])
  })

  it('gives only the fields asked for', async (t) => {
    const { ask } = await openRig(t)
    const { uuid } = await enrolled(ask)
    const path = `/v1/nodes/${uuid}?fields=`

    const answer = await ask('GET', `${path}uuid, Power_State,uuid`)
    const unknown = await ask('GET', `${path}colour`)
    const later = await ask('GET', `${path}traits`, undefined, { version: '1.36' })
    const early = await ask('GET', `${path}uuid`, undefined, { version: '1.7' })

    assert.deepEqual(Object.keys(answer.body), ['uuid', 'power_state', 'links'])
    assert.deepEqual([unknown.status, unknown.fault], [400, 'Field colour is not a valid field.'])
    assert.deepEqual([later.status, early.status], [406, 406])
  })

  it('masks secrets, and never shows what the conductor notes for itself', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask, {
      driver_info: { ipmi_password: 'hunter2', nested: { api_token: 'hunter2' }, ipmi_port: 623 },
    })
    await store.nodes.update(uuid, {
      driver_internal_info: { agent_secret_token: 'hunter2', agent_url: 'https://10.0.0.9:9999' },
      instance_info: {
        image_url: 'https://signed.example/?sig=hunter2',
        configdrive: { user_data: 'hunter2' },
        image_pull_secret: 'hunter2',
        image_source: 'https://images.example/debian.qcow2',
      },
      wait: { for: 'agent-boot', deadline: '2026-11-25T00:00:00Z', note: 'hunter2' },
      deploy_step: { step: 'write_image', args: { password: 'hunter2' } },
    })

    const { text, body } = await ask('GET', `/v1/nodes/${uuid}`)

    assert.ok(!text.includes('hunter2'), text)
    assert.ok(!('wait' in body))
    assert.deepEqual(body.driver_info, { ipmi_password: '******', nested: { api_token: '******' }, ipmi_port: 623 })
    assert.deepEqual(body.driver_internal_info, { agent_secret_token: '******', agent_url: 'https://10.0.0.9:9999' })
    assert.deepEqual(body.instance_info, {
      image_url: '******',
      configdrive: '******',
      image_pull_secret: '******',
      image_source: 'https://images.example/debian.qcow2',
    })
  })

  it('shows a change at once, in every view', async (t) => {
    const { ask, store } = await openRig(t)
    const { uuid } = await enrolled(ask)
    const powerOf = async (path: string) =>
      JSON.stringify((await ask('GET', path)).body).match(/"power_state":([^,}]+)/)?.[1]
    const paths = [`/v1/nodes/${uuid}`, '/v1/nodes', '/v1/nodes/detail', `/v1/nodes/${uuid}?fields=power_state`]
    assert.deepEqual(await Promise.all(paths.map(powerOf)), ['null', 'null', 'null', 'null'])

    await store.nodes.update(uuid, { power_state: 'power on' })

    assert.deepEqual(await Promise.all(paths.map(powerOf)), Array(4).fill('"power on"'))
  })
})
