/** Ironic's own agent inspects a machine through the same path as ours: its ramdisk in the place of ours. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bmcArguments } from '../rack/node-fields.ts'
import { PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'
import { stockAgent } from './stock-agent.ts'

const MEMORY_MIB = 2048
/** It boots a whole Debian, which takes minutes under emulation. */
const STOCK_DEADLINE_S = 1_200

describe('the stock ironic-python-agent in an inspection', () => {
  it('reports what its machine is made of, with its logs, and the machine is off afterwards', {
    timeout: PREPARE_DEADLINE_MS + STOCK_DEADLINE_S * 1000,
  }, async (test) => {
    const ramdisk = await stockAgent(test)
    if (ramdisk === undefined) return
    await using rack = await rackFor(test, {
      ramdisk,
      images: [],
      memory_mib: MEMORY_MIB,
      config: {
        DEFAULT: { enabled_inspect_interfaces: 'agent, no-inspect' },
        inspector: { hooks: '$default_hooks, cpus, memory, root-device, boot-mode' },
      },
    })
    const machine = rack.hardware.machines[0]
    assert.ok(machine)
    await rack.baremetal('node', 'create', '--name', 'rack-1', '--driver', 'ipmi', ...bmcArguments(0, 'ipmi'))
    const { uuid } = await showNode(rack, 'rack-1')
    await rack.baremetal('port', 'create', machine.options.mac, '--node', String(uuid))
    await rack.baremetal('node', 'manage', 'rack-1', '--wait', '60')

    const from = rack.appliance.lines.length
    await rack.baremetal('node', 'inspect', 'rack-1')
    const end = await rack.appliance.waitFor(
      'the end of the inspection',
      ({ message, to }) => message === 'provision state changed' && (to === 'manageable' || to === 'inspect failed'),
      { timeout_s: STOCK_DEADLINE_S, from },
    )

    assert.equal(end.to, 'manageable', String(end.last_error))
    const node = await showNode(rack, 'rack-1')
    const { capabilities, ...properties } = node.properties as Record<string, unknown>
    assert.deepEqual(properties, { cpu_arch: 'x86_64', cpus: 1, memory_mb: MEMORY_MIB, local_gb: 3 })
    assert.equal(capabilities, 'boot_mode:bios')
    assert.deepEqual([node.power_state, machine.power], ['power off', 'off'])
    const found = await rack.appliance.call('GET', '/v1/nodes/rack-1/inventory')
    const { inventory, plugin_data } = JSON.parse(found.text)
    assert.equal(inventory.interfaces[0].mac_address, machine.options.mac)
    assert.ok(plugin_data.configuration.managers.length > 0)
  })
})
