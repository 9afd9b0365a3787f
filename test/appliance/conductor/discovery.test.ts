import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import { newPort } from '../../../appliance/records/kinds/port.ts'
import { MAC, startTrial, type TrialOptions } from './trial.ts'

const ENABLED = '[auto_discovery]\nenabled = True\ndriver = fake-hardware\n'
const ADDRESS = '172.22.0.57'
const NOT_FOUND = { name: 'NotFound', code: 404, message: 'Resource could not be found.' }
const found = (more: Json = {}, mac = MAC) => ({
  inventory: {
    interfaces: [{ name: 'eth0', mac_address: mac, ipv4_address: ADDRESS }],
    cpu: { architecture: 'x86_64' },
    boot: { pxe_interface: mac },
    bmc_address: '10.0.0.7',
  },
  plugin_data: { error: null, ...more },
})

async function discovering(t: TestContext, options: TrialOptions = {}) {
  const trial = await startTrial(t, { ...options, ini: options.ini ?? ENABLED })
  const boot = async (mac = MAC) => {
    const given = await trial.conductor.discoveryBootOf(mac, ADDRESS)
    const [, url = ''] = given?.parameters[0] ?? []
    return /~[\w-]{32}/.exec(url)?.[0]
  }
  const report = (number: string | undefined, given = found(), address = ADDRESS) =>
    trial.conductor.continueInspection(given, { address, ...(number === undefined ? {} : { number }) })
  return { trial, boot, report }
}

describe('an unknown machine', () => {
  it('boots nothing of this box, and is enrolled by nothing, unless [auto_discovery] says so', async (t) => {
    const { trial, boot, report } = await discovering(t, { ini: '' })

    assert.equal(await boot(), undefined)
    await assert.rejects(report(undefined), NOT_FOUND)
    assert.equal(trial.store.nodes.size, 0)
  })

  it('becomes a node by its report, with its ports and its inventory', async (t) => {
    const { trial, boot, report } = await discovering(t)

    const { uuid } = await report(await boot())

    const node = trial.node(uuid)
    assert.deepEqual([node.provision_state, node.driver, node.reservation], ['enroll', 'fake-hardware', null])
    assert.deepEqual(node.properties, { cpu_arch: 'x86_64' })
    assert.equal(trial.store.ports.by('address', MAC)?.node_uuid, uuid)
    assert.equal((await trial.conductor.inventory(uuid)).plugin_data.auto_discovered, true)
    assert.equal(await boot(), undefined)
  })

  it('of ipmi has the address of its BMC', async (t) => {
    const ini = '[DEFAULT]\nenabled_hardware_types = ipmi\n[auto_discovery]\nenabled = True\ndriver = ipmi\n'
    const { trial, boot, report } = await discovering(t, { ini })

    const { uuid } = await report(await boot())

    assert.deepEqual(trial.node(uuid).driver_info, { ipmi_address: '10.0.0.7' })
  })

  it('is only the one that was booted, and only once', async (t) => {
    const { trial, boot, report } = await discovering(t)
    const number = await boot()

    await assert.rejects(report(undefined), NOT_FOUND)
    await assert.rejects(report(`~${'A'.repeat(32)}`), NOT_FOUND)
    await assert.rejects(report(number, found(), '172.22.0.66'), NOT_FOUND)
    await assert.rejects(report(number, found({}, '52:54:00:00:00:01')), NOT_FOUND)
    await report(number)
    await assert.rejects(report(number), NOT_FOUND)
    assert.equal(trial.store.nodes.size, 1)
  })

  it('has the address that DHCP gave it, and no card of a node', async (t) => {
    const stranger = await discovering(t, { isLeased: async () => false })
    const { trial, boot, report } = await discovering(t)
    const node = await trial.createNode({}, null)
    const number = await boot()
    await trial.store.ports.create(newPort({ address: MAC, node_uuid: node.uuid }))

    assert.equal(await stranger.boot(), undefined)
    await assert.rejects(report(number), NOT_FOUND)
  })

  it('is one of at most so many', async (t) => {
    const { boot, report } = await discovering(t, { ini: `${ENABLED}max_nodes = 1\n` })
    const other = '52:54:00:00:00:01'
    const [first, second] = [await boot(), await boot(other)]
    await report(first)

    assert.equal(await boot('52:54:00:00:00:02'), undefined)
    await assert.rejects(report(second, found({}, other)), NOT_FOUND)
  })

  it('of which a hook says no leaves nothing behind', async (t) => {
    const { trial, boot, report } = await discovering(t)

    await assert.rejects(report(await boot(), found({ error: 'no disks' })), {
      code: 400,
      message: new RegExp(`^The unknown machine ${MAC} is not enrolled: .*Ramdisk reported error: no disks$`),
    })

    assert.deepEqual([trial.store.nodes.size, trial.store.ports.size], [0, 0])
  })

  it('goes on to be available where a rule says so: plug and play', async (t) => {
    const { trial, boot, report } = await discovering(t)
    const { inspection_rules } = trial.store
    const actions_secret = [{ op: 'set-attribute', args: { path: 'target_provision_state', value: 'available' } }]
    const conditions_secret = [{ op: 'is-true', args: { value: '{plugin_data[auto_discovered]}' } }]
    await inspection_rules.create(inspection_rules.draft({ actions_secret, conditions_secret }))

    const { uuid } = await report(await boot())

    await trial.untilState(uuid, 'available')
    assert.deepEqual(trial.states(), ['verifying', 'manageable', 'cleaning', 'available'])
  })
})
