/** An agent that lies in its report: values of another type, cards and BMCs of others, more machines than there are. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Json } from '../../appliance/plugin-api/index.ts'
import { MAC, startTrial } from '../appliance/conductor/trial.ts'

const ADDRESS = '172.22.0.57'
const OTHER_MAC = '52:54:00:12:34:57'
const NOT_FOUND = { name: 'NotFound', code: 404, message: 'Resource could not be found.' }
/** As JSON may have it; neither a text nor a number can be made of it. */
const NO_VALUE = { toString: 1, valueOf: 1 }
const LONG = 'x'.repeat(100_000)

const card = (mac_address: string, more: Json = {}) => ({ name: mac_address, mac_address, ...more })
const found = (macs: readonly string[], inventory: Json = {}, plugin_data: Json = {}) => ({
  inventory: {
    interfaces: macs.map((mac) => card(mac, { ipv4_address: ADDRESS })),
    cpu: { architecture: 'x86_64' },
    ...inventory,
  },
  plugin_data,
})

describe('a report of an agent that lies', () => {
  const INI = '[DEFAULT]\nenabled_inspect_interfaces = agent, no-inspect\n[inspector]\nadd_ports = all\n'

  async function inspecting(t: TestContext, ini = INI) {
    const trial = await startTrial(t, { ini })
    const { interfaces } = await trial.createNode({}, null)
    const waiting = async (mac: string) => {
      const node = { provision_state: 'manageable', interfaces: { ...interfaces, inspect: 'agent' } } as const
      const { uuid } = await trial.createNode(node, mac)
      await trial.conductor.provision(uuid, { target: 'inspect' })
      await trial.untilState(uuid, 'inspect wait')
      const number = trial.store.boots.get(uuid)?.window?.number_secret ?? ''
      return { uuid, asker: { address: ADDRESS, number } }
    }
    return { trial, waiting }
  }

  it('is taken without what is no value, and without texts that are longer than they can be', async (t) => {
    const hooks = 'hooks = $default_hooks, cpus, root-device, accelerators\n'
    const { trial, waiting } = await inspecting(t, INI + hooks)
    const { uuid, asker } = await waiting(MAC)
    const pci_devices = [
      { vendor_id: NO_VALUE, product_id: [NO_VALUE] },
      { vendor_id: '10de', product_id: '1eb8', bus: LONG },
    ]

    const lies = {
      cpu: { architecture: 'x86_64', count: NO_VALUE },
      interfaces: [card(MAC, { client_id: LONG }), card(OTHER_MAC, { client_id: NO_VALUE })],
    }
    await trial.conductor.continueInspection(found([], lies, { pci_devices, root_disk: { size: NO_VALUE } }), asker)
    const { properties } = await trial.untilState(uuid, 'manageable')

    const [gpu] = properties.accelerators as readonly Json[]
    assert.deepEqual([properties.cpus, properties.local_gb, gpu?.pci_address], [undefined, 0, null])
    assert.deepEqual(
      trial.store.ports.where('node_uuid', uuid).map(({ address, extra }) => [address, extra]),
      [
        [MAC, {}],
        [OTHER_MAC, {}],
      ],
    )
  })

  it('keeps no other machine from its inspection, nor from its lookup, by telling of its cards', async (t) => {
    const { trial, waiting } = await inspecting(t)
    const liar = await waiting(MAC)
    await trial.conductor.continueInspection(found([MAC, '52:54:00:00:00:99']), liar.asker)
    await trial.untilState(liar.uuid, 'manageable')
    const honest = await waiting(OTHER_MAC)
    const macs = ['52:54:00:00:00:99', OTHER_MAC]

    await assert.rejects(trial.conductor.continueInspection(found(macs), { address: ADDRESS }), NOT_FOUND)
    await assert.rejects(trial.conductor.lookup({ addresses: macs }, liar.asker), NOT_FOUND)
    const { node } = await trial.conductor.lookup({ addresses: macs }, honest.asker)
    const answer = await trial.conductor.continueInspection(found(macs), honest.asker)

    assert.deepEqual([node.uuid, answer.uuid], [honest.uuid, honest.uuid])
    await trial.untilState(honest.uuid, 'manageable')
  })
})

describe('an unknown machine that lies', () => {
  const INI = '[DEFAULT]\nenabled_hardware_types = fake-hardware, ipmi, redfish\n[auto_discovery]\nenabled = True\n'

  async function discovering(t: TestContext, ini: string) {
    const trial = await startTrial(t, { ini: INI + ini })
    const boot = async (mac: string) => {
      const given = await trial.conductor.discoveryBootOf(mac, ADDRESS)
      const number = /~[\w-]{32}/.exec(given?.parameters[0]?.[1] ?? '')?.[0]
      assert.ok(number)
      return (inventory: Json = {}) =>
        trial.conductor.continueInspection(found([mac], inventory), { address: ADDRESS, number })
    }
    return { trial, boot }
  }

  it('takes no more places than there are, however many report at one time', async (t) => {
    const { trial, boot } = await discovering(t, 'driver = fake-hardware\nmax_nodes = 1\n')
    const reports = await Promise.all(['01', '02', '03'].map((last) => boot(`52:54:00:00:00:${last}`)))

    const outcomes = await Promise.allSettled([...reports, ...reports].map((report) => report()))

    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal(trial.store.nodes.size, 1)
  })

  it('is not enrolled with the BMC of another machine', async (t) => {
    const { trial, boot } = await discovering(t, 'driver = ipmi\n')
    await trial.createNode({ driver: 'redfish', driver_info: { redfish_address: 'https://10.0.0.7/' } }, null)
    const [first, second] = [await boot('52:54:00:00:00:01'), await boot('52:54:00:00:00:02')]

    await assert.rejects(first({ bmc_address: '10.0.0.7' }), NOT_FOUND)
    const outcomes = await Promise.allSettled([first, second].map((report) => report({ bmc_address: '10.0.0.8' })))

    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  })

  it('says no more of its BMC than an address', async (t) => {
    const { trial, boot } = await discovering(t, 'driver = redfish\n')
    const told = ['http://10.0.0.7', '0.0.0.0', LONG, 'localhost']

    for (const [at, bmc_address] of told.entries()) {
      const report = await boot(`52:54:00:00:00:0${at}`)
      const { uuid } = await report({ bmc_address })

      assert.deepEqual(trial.node(uuid).driver_info, {})
    }
  })
})
