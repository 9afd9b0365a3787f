/** What is asked of a node's machine through its interfaces: those of `fake` do all of it. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Node } from '../../../appliance/records/kinds/node.ts'
import { newReading } from '../../../appliance/records/kinds/reading.ts'
import { type Answer, BASE, enrolled, type Json, openRig } from './rig.ts'

const FAKES = `enabled_raid_interfaces = fake, agent, no-raid
enabled_vendor_interfaces = fake, no-vendor
[conductor]
node_locked_retry_attempts = 0
`

async function withNode(t: TestContext, fields: Json = {}) {
  const rig = await openRig(t, { ini: FAKES })
  const { uuid } = await enrolled(rig.ask, { driver: 'fake-hardware', name: 'n1', ...fields })
  const record = () => rig.store.nodes.find(uuid)
  return { ...rig, uuid, record, path: `/v1/nodes/${uuid}` }
}
/** Held for moments, as by work that goes on after its answer. */
const settled = async (record: () => Node) => {
  while (record().reservation !== null) await new Promise((resolve) => setImmediate(resolve))
}
const told = ({ status, fault }: Answer) => `${status} ${fault}`
const UNSUPPORTED = (extension: string, driver = 'ipmi') =>
  `Driver ${driver} does not support ${extension} (disabled or not implemented).`

describe('states/boot_mode and states/secure_boot of a node', () => {
  it('are changed after the answer, and shown', async (t) => {
    const { ask, path, record } = await withNode(t)

    const mode = await ask('PUT', `${path}/states/boot_mode`, { target: 'bios' })
    await settled(record)
    const secure = await ask('PUT', `${path}/states/secure_boot`, { target: 'True' })
    await settled(record)
    const { body } = await ask('GET', `${path}/states`)

    assert.deepEqual([mode.status, mode.text, secure.status], [202, '', 202])
    assert.equal(mode.headers.get('location'), `${BASE}${path}/states`)
    assert.deepEqual([body.boot_mode, body.secure_boot], ['bios', true])
    assert.equal(record().driver_internal_info.fake_boot_mode, 'bios')
  })

  it('are refused for what is no mode, before 1.76, while the machine is about to boot, and where they are not to be had', async (t) => {
    const { ask, path, store, uuid } = await withNode(t)
    const ipmi = await enrolled(ask, { driver: 'ipmi', driver_info: { ipmi_address: '10.0.0.1' } })
    const put = async (what: string, target: unknown, version?: string) =>
      told(await ask('PUT', `${path}/states/${what}`, { target }, version ? { version } : {}))

    assert.equal(
      await put('boot_mode', 'efi'),
      '400 Invalid boot mode efi requested for node. Allowed boot modes are: uefi, bios',
    )
    assert.match(await put('secure_boot', 'maybe'), /^400 .*expected true or false/)
    assert.match(await put('boot_mode', 'uefi', '1.75'), /^404 .*starting with the API version 1\.76/)
    for (const [what, extension] of [
      ['boot_mode', 'set_boot_mode'],
      ['secure_boot', 'set_secure_boot_state'],
    ]) {
      const target = what === 'boot_mode' ? 'uefi' : true
      const refused = await ask('PUT', `/v1/nodes/${ipmi.uuid}/states/${what}`, { target })
      assert.equal(told(refused), `400 ${UNSUPPORTED(extension ?? '')}`)
    }
    await store.nodes.update(uuid, { provision_state: 'wait call-back' })
    assert.match(await put('secure_boot', true), /^409 Node is in wait call-back state\./)
  })
})

describe('management/inject_nmi of a node', () => {
  it('is done, and refused where it is not to be had or the node is held', async (t) => {
    const { ask, path, store, uuid } = await withNode(t)
    const ipmi = await enrolled(ask, { driver: 'ipmi', driver_info: { ipmi_address: '10.0.0.1' } })

    assert.equal((await ask('PUT', `${path}/management/inject_nmi`, {})).status, 204)
    assert.equal(
      told(await ask('PUT', `/v1/nodes/${ipmi.uuid}/management/inject_nmi`, {})),
      `400 ${UNSUPPORTED('inject_nmi')}`,
    )
    assert.equal((await ask('PUT', `${path}/management/inject_nmi`, {}, { version: '1.28' })).status, 404)
    await store.nodes.update(uuid, { reservation: 'rack-1' })
    assert.equal((await ask('PUT', `${path}/management/inject_nmi`, {})).status, 409)
  })
})

describe('management/indicators of a node', () => {
  it('are listed, read and set', async (t) => {
    const { ask, path, uuid } = await withNode(t)
    const lamp = `${path}/management/indicators/led@system`

    const { body } = await ask('GET', `${path}/management/indicators`)
    const before = await ask('GET', lamp)
    const set = await ask('PUT', lamp, { state: 'blinking' })
    const after = await ask('GET', lamp)

    assert.deepEqual((body.indicators as Json[])[1], {
      name: 'led@system',
      component: 'system',
      readonly: false,
      states: ['blinking', 'off', 'on'],
      links: [
        { href: `${BASE}/v1/nodes/${uuid}/management/indicators/led%40system`, rel: 'self' },
        { href: `${BASE}/nodes/${uuid}/management/indicators/led%40system`, rel: 'bookmark' },
      ],
    })
    assert.deepEqual([before.body, set.status, after.body], [{ state: 'on' }, 204, { state: 'blinking' }])
  })

  it('are refused when there is none of that name, none of that state, or it is read-only', async (t) => {
    const { ask, path } = await withNode(t)
    const put = async (name: string, state: string) =>
      told(await ask('PUT', `${path}/management/indicators/${name}`, { state }))

    assert.equal(await put('led', 'on'), '400 Malformed indicator name "led"')
    assert.equal(await put('led@moon', 'on'), '400 Invalid component moon specified.')
    assert.equal(await put('lamp@system', 'on'), '400 Invalid indicator lamp specified.')
    assert.equal(await put('constructor@system', 'on'), '400 Invalid indicator constructor specified.')
    assert.match(await put('led@system', 'green'), /^400 Invalid state green .*: expected blinking, off, on\.$/)
    assert.equal(await put('led-0@chassis', 'on'), '400 Indicator led-0 of chassis is read-only.')
  })
})

describe('vmedia of a node', () => {
  it('is attached, shown and detached', async (t) => {
    const { ask, path, record } = await withNode(t)
    const image_url = 'http://192.0.2.1/tools.iso'

    const attached = await ask('POST', `${path}/vmedia`, { device_type: 'cdrom', image_url })
    await settled(record)
    const shown = await ask('GET', `${path}/vmedia`)
    const detached = await ask('DELETE', `${path}/vmedia?device_types=cdrom`)
    await settled(record)

    assert.deepEqual([attached.status, detached.status], [204, 204])
    assert.deepEqual((shown.body as unknown as Json[])[0]?.image, image_url)
    assert.deepEqual((await ask('GET', `${path}/vmedia`)).body, [])
  })

  it('is refused for odd devices and addresses, and cut at its versions', async (t) => {
    const { ask, path } = await withNode(t)
    const image_url = 'http://192.0.2.1/a.iso'
    const post = async (body: Json, version = '1.115') => told(await ask('POST', `${path}/vmedia`, body, { version }))

    assert.match(await post({ device_type: 'tape', image_url }), /^400 .*expected one of disk, cdrom, floppy$/)
    assert.match(
      await post({ device_type: 'cdrom', image_url: 'file:///etc/shadow' }),
      /^400 Unsupported or missing URL scheme: file\./,
    )
    assert.match(
      await post({ device_type: 'cdrom', image_url: 'tools.iso' }),
      /^400 Unsupported or missing URL scheme: /,
    )
    assert.match(await post({ device_type: 'cdrom' }), /^400 .*'image_url' is a required property$/)
    assert.match(await post({ device_type: 'cdrom', image_url }, '1.88'), /^404 /)
    assert.match(
      told(await ask('DELETE', `${path}/vmedia?device_types=cdrom,tape`)),
      /^400 Invalid device type\(s\) tape \(valid are disk, cdrom, floppy\)$/,
    )
    assert.equal((await ask('GET', `${path}/vmedia`, undefined, { version: '1.92' })).status, 404)
  })
})

describe('states/raid of a node', () => {
  const logical_disks = [{ raid_level: '1', size_gb: 100, is_root_volume: true }]

  it('is what is wanted, and is taken away by {}', async (t) => {
    const { ask, path, record } = await withNode(t)

    const set = await ask('PUT', `${path}/states/raid`, { logical_disks })
    const wanted = record().target_raid_config
    const emptied = await ask('PUT', `${path}/states/raid`, {})

    assert.deepEqual([set.status, set.text, emptied.status], [204, '', 204])
    assert.deepEqual([wanted, record().target_raid_config], [{ logical_disks }, {}])
  })

  const refused: readonly [string, unknown, RegExp][] = [
    ['no list', { logical_disks: {} }, /logical_disks is an object: expected a list$/],
    ['no disks', { logical_disks: [] }, /expected at least one$/],
    ['another member', { logical_disks, physical: 1 }, /Additional properties are not allowed \('physical' was/],
    ['no level', { logical_disks: [{ size_gb: 1 }] }, /'logical_disks\/0\/raid_level' is a required property$/],
    [
      'an odd level',
      { logical_disks: [{ raid_level: '7', size_gb: 1 }] },
      /raid_level is '7': expected one of JBOD, 0/,
    ],
    ['an odd size', { logical_disks: [{ raid_level: '1', size_gb: 'all' }] }, /size_gb is 'all': expected a whole/],
    [
      'disks without a controller',
      { logical_disks: [{ raid_level: '1', size_gb: 1, physical_disks: ['a'] }] },
      /expected controller with physical_disks$/,
    ],
  ]
  it('is checked', async (t) => {
    const { ask, path, record } = await withNode(t)
    const two = { logical_disks: [...logical_disks, ...logical_disks] }

    for (const [what, body, fault] of refused) {
      const answer = await ask('PUT', `${path}/states/raid`, body)

      assert.equal(answer.status, 400, what)
      assert.match(answer.fault, /^RAID config validation error: /)
      assert.match(answer.fault, fault)
    }
    assert.equal(
      told(await ask('PUT', `${path}/states/raid`, two)),
      '400 Raid config cannot have more than one root volume. 2 root volumes were specified',
    )
    assert.deepEqual(record().target_raid_config, {})
  })

  it('is 404 where there is no RAID, 406 before 1.12, and no field to be patched', async (t) => {
    const { ask, path } = await withNode(t, { raid_interface: 'no-raid' })
    const patch = [{ op: 'replace', path: '/target_raid_config', value: { logical_disks } }]

    assert.equal(
      told(await ask('PUT', `${path}/states/raid`, { logical_disks })),
      `404 ${UNSUPPORTED('raid', 'fake-hardware')}`,
    )
    assert.equal((await ask('PUT', `${path}/states/raid`, { logical_disks }, { version: '1.11' })).status, 406)
    assert.equal((await ask('PATCH', path, patch)).status, 400)
  })
})

describe('vendor_passthru', () => {
  it('lists the methods of a node, and of a driver', async (t) => {
    const { ask, path } = await withNode(t)

    const { body } = await ask('GET', `${path}/vendor_passthru/methods`)

    assert.deepEqual(Object.keys(body), [
      'second_method',
      'third_method_sync',
      'fourth_method_shared_lock',
      'log_passthrough',
    ])
    assert.deepEqual(body.third_method_sync, {
      description: 'Test if the value of bar is meow',
      http_methods: ['POST'],
      async: false,
      require_exclusive_lock: true,
      attach: false,
    })
    assert.deepEqual((await ask('GET', '/v1/drivers/fake-hardware/vendor_passthru/methods')).body, {})
    assert.equal((await ask('GET', '/v1/drivers/nothing/vendor_passthru/methods')).status, 404)
  })

  it('calls a method, by its path or by the query, and answers with its result or before it', async (t) => {
    const { ask, path, record } = await withNode(t)
    const sync = `${path}/vendor_passthru/third_method_sync`

    const right = await ask('POST', sync, { bar: 'meow' })
    const wrong = await ask('POST', `${path}/vendor_passthru?method=third_method_sync`, { bar: 'wuff' })
    const later = await ask('POST', `${path}/vendor_passthru/second_method`, { bar: 'kazoo' })
    await settled(record)

    assert.deepEqual([right.status, right.text, wrong.text], [200, 'true', 'false'])
    assert.deepEqual([later.status, later.text], [202, ''])
  })

  it('is refused for a method that is not there, in another way than it takes, or without what it needs', async (t) => {
    const { ask, path, store, uuid } = await withNode(t)
    const call = async (method: string, below: string, body?: unknown) =>
      told(await ask(method, `${path}/vendor_passthru${below}`, body))

    assert.equal(await call('POST', '/nothing', {}), '400 No handler for method nothing')
    assert.equal(await call('POST', '/constructor', {}), '400 No handler for method constructor')
    assert.equal(await call('GET', '/second_method'), '400 The method second_method does not support HTTP GET')
    assert.equal(await call('POST', '/second_method', {}), "400 Parameter 'bar' not passed to method 'second_method'.")
    assert.equal(await call('POST', '', {}), '400 Method not specified')
    await store.nodes.update(uuid, { reservation: 'rack-1' })
    assert.match(await call('POST', '/second_method', { bar: 'kazoo' }), /^409 .* is locked by host rack-1/)
    assert.match(await call('POST', '/fourth_method_shared_lock', { bar: 'woof' }), /^202 /)
    assert.equal(
      told(await ask('POST', '/v1/drivers/fake-hardware/vendor_passthru/first', {})),
      '400 No handler for method first',
    )
  })
})

describe('bios and firmware of a node', () => {
  const setting = {
    ...{ name: 'BootMode', value: 'Uefi', attribute_type: 'Enumeration' as const, allowable_values: ['Uefi', 'Bios'] },
    ...{ lower_bound: null, upper_bound: null, min_length: null, max_length: null, read_only: false },
    ...{ reset_required: true, unique: null, created_at: '2026-01-01T00:00:00.000000+00:00', updated_at: null },
  }
  const component = {
    ...{ component: 'bmc', initial_version: '1.0', current_version: '1.1', last_version_flashed: '1.1' },
    ...{ created_at: '2026-01-01T00:00:00.000000+00:00', updated_at: '2026-01-02T00:00:00.000000+00:00' },
  }
  const read = async (t: TestContext) => {
    const rig = await withNode(t)
    await rig.store.readings.create({ ...newReading(rig.uuid), bios: [setting], firmware: [component] })
    return rig
  }
  const links = (uuid: string) => [
    { href: `${BASE}/v1/nodes/${uuid}/bios/BootMode`, rel: 'self' },
    { href: `${BASE}/nodes/${uuid}/bios/BootMode`, rel: 'bookmark' },
  ]

  it('are empty before the machine was asked', async (t) => {
    const { ask, path } = await withNode(t)

    assert.deepEqual((await ask('GET', `${path}/bios`)).body, { bios: [] })
    assert.deepEqual((await ask('GET', `${path}/firmware`)).body, { firmware: [] })
  })

  it('show a setting plainly, in detail, or the fields asked for', async (t) => {
    const { ask, path, uuid } = await read(t)
    const { created_at, updated_at, ...whole } = setting

    const plain = await ask('GET', `${path}/bios`)
    const detail = await ask('GET', `${path}/bios?detail=True`)
    const chosen = await ask('GET', `${path}/bios?fields=name,reset_required`)
    const one = await ask('GET', `${path}/bios/BootMode`)
    const early = await ask('GET', `${path}/bios/BootMode`, undefined, { version: '1.73' })

    const name = { name: 'BootMode', value: 'Uefi', created_at, updated_at, links: links(uuid) }
    assert.deepEqual(plain.body, { bios: [name] })
    assert.deepEqual(detail.body, { bios: [{ ...whole, created_at, updated_at, links: links(uuid) }] })
    assert.deepEqual(chosen.body, { bios: [{ name: 'BootMode', reset_required: true, links: links(uuid) }] })
    assert.deepEqual(one.body, { BootMode: { ...whole, created_at, updated_at, links: links(uuid) } })
    assert.deepEqual(early.body, { BootMode: name })
    assert.equal(
      told(await ask('GET', `${path}/bios/Nothing`)),
      `404 Node ${uuid} doesn't have a BIOS setting 'Nothing'`,
    )
    assert.equal((await ask('GET', `${path}/bios?detail=True`, undefined, { version: '1.73' })).status, 406)
    assert.equal((await ask('GET', `${path}/bios?fields=colour`)).fault, 'Field(s) "colour" are not valid')
    assert.equal((await ask('GET', `${path}/bios`, undefined, { version: '1.39' })).status, 404)
  })

  it('show the firmware with the version of the beginning', async (t) => {
    const { ask, path } = await read(t)

    const now = await ask('GET', `${path}/firmware`)
    const early = await ask('GET', `${path}/firmware?fields=component`, undefined, { version: '1.86' })

    assert.deepEqual(now.body, { firmware: [{ ...component, vendor: null, model: null, serial_number: null }] })
    assert.deepEqual(early.body, { firmware: [{ component: 'bmc' }] })
    assert.equal((await ask('GET', `${path}/firmware`, undefined, { version: '1.85' })).status, 404)
  })

  it('go with the node', async (t) => {
    const { ask, path, store, uuid } = await read(t)

    await ask('DELETE', path)

    assert.equal(store.readings.get(uuid), undefined)
  })
})

describe('vifs of a node', () => {
  it('are taken and not kept, as the noop network does', async (t) => {
    const { ask, path } = await withNode(t)

    assert.equal((await ask('POST', `${path}/vifs`, { id: 'vif-1', port_uuid: 'x' })).status, 204)
    assert.deepEqual((await ask('GET', `${path}/vifs`)).body, { vifs: [] })
    assert.equal((await ask('DELETE', `${path}/vifs/vif-1`)).status, 204)
    assert.match(told(await ask('POST', `${path}/vifs`, {})), /^400 .*'id' is a required property$/)
    assert.match(told(await ask('POST', `${path}/vifs`, { id: 'a b' })), /^400 .*expected a UUID or a name$/)
    assert.equal(
      told(await ask('POST', `${path}/vifs`, { id: 'v', port_uuid: 'x', portgroup_uuid: 'y' })),
      '400 Cannot specify both port_uuid and portgroup_uuid',
    )
    assert.equal((await ask('GET', `${path}/vifs`, undefined, { version: '1.27' })).status, 404)
  })
})
