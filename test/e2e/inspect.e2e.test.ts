/**
 * Inspection on real parts: a machine boots the agent, which reports what it is made of and which switch it hears; a
 * rule goes over it. The boot itself is what is tested, so no machine goes on from a kept memory.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { describe, it } from 'node:test'
import { bmcArguments } from '../rack/node-fields.ts'
import type { Rack } from '../rack/rack.ts'
import { DEPLOY_DEADLINE_MS, PREPARE_DEADLINE_MS, rackFor, showNode } from './racks.ts'

/** A switch of ours, that tells of itself twice a second: chassis, port, TTL, name, end. */
const SWITCH = `
import socket, sys, time
frame = bytes.fromhex('0180c200000e' '64649b32f300' '88cc' '020704' '64649b32f300' '0404' '0770312f' '06020078' '0a03737731' '0000')
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((sys.argv[1], 0))
while True:
    wire.send(frame.ljust(60, b'\\0'))
    time.sleep(0.5)
`

/** Ends with the test. */
function startSwitch(rack: Rack): ChildProcess {
  const [command = '', ...args] = [...rack.hardware.network.enter, 'python3', '-c', SWITCH]
  return spawn(command, [...args, rack.hardware.network.taps[0] ?? ''], { stdio: 'ignore' })
}

const RULE = { actions: [{ op: 'set-attribute', args: { path: 'resource_class', value: 'seen' } }] }

describe('a machine that is inspected', () => {
  it('tells what it is made of and which switch it hears, and a rule goes over it; an unknown one beside it is enrolled', {
    timeout: PREPARE_DEADLINE_MS + DEPLOY_DEADLINE_MS,
  }, async (test) => {
    await using rack = await rackFor(test, {
      images: [],
      machines: 2,
      config: {
        DEFAULT: { enabled_inspect_interfaces: 'agent, no-inspect' },
        auto_discovery: { enabled: 'True', driver: 'ipmi' },
        inspector: {
          extra_kernel_params:
            'ipa-collect-lldp=1 ipa-lldp-timeout=10 ipa-inspection-collectors=default,logs,pci-devices',
          hooks: '$default_hooks, cpus, memory, root-device, boot-mode, local-link-connection, parse-lldp',
        },
      },
    })
    const [machine, unknown] = rack.hardware.machines
    assert.ok(machine && unknown)
    const lldp = startSwitch(rack)
    test.after(() => lldp.kill())
    await rack.baremetal('node', 'create', '--name', 'rack-1', '--driver', 'ipmi', ...bmcArguments(0, 'ipmi'))
    await rack.baremetal(
      'port',
      'create',
      machine.options.mac,
      '--node',
      (await showNode(rack, 'rack-1')).uuid as string,
    )
    const rule = await rack.appliance.call('POST', '/v1/inspection_rules', RULE)
    assert.equal(rule.status, 201, rule.text)
    await rack.baremetal('node', 'manage', 'rack-1', '--wait', '60')

    const from = rack.appliance.lines.length
    await rack.baremetal('node', 'inspect', 'rack-1')
    await unknown.powerOn()
    const end = await rack.appliance.waitFor(
      'the end of the inspection',
      ({ message, to }) => message === 'provision state changed' && (to === 'manageable' || to === 'inspect failed'),
      { timeout_s: 240, from },
    )

    assert.equal(end.to, 'manageable', String(end.last_error))
    const node = await showNode(rack, 'rack-1')
    const { capabilities, ...properties } = node.properties as Record<string, unknown>
    assert.deepEqual(properties, { cpu_arch: 'x86_64', cpus: 1, memory_mb: 1024, local_gb: 3 })
    assert.equal(capabilities, 'boot_mode:bios')
    assert.deepEqual([node.resource_class, node.power_state, machine.power], ['seen', 'power off', 'off'])
    assert.ok(Date.parse(String(node.inspection_finished_at)) > Date.parse(String(node.inspection_started_at)))
    const port = JSON.parse(await rack.baremetal('port', 'show', '--address', machine.options.mac, '-f', 'json'))
    assert.deepEqual(port.local_link_connection, { port_id: 'p1/', switch_id: '64:64:9b:32:f3:00', switch_info: 'sw1' })
    const found = await rack.appliance.call('GET', '/v1/nodes/rack-1/inventory')
    const { inventory, plugin_data } = JSON.parse(found.text)
    assert.equal(inventory.interfaces[0].mac_address, machine.options.mac)
    assert.equal(inventory.disks[0].name, plugin_data.root_disk.name)
    assert.ok(plugin_data.pci_devices.length > 0)
    assert.ok(!('logs' in plugin_data))

    const enrolled = await rack.appliance.waitFor(
      'the unknown machine',
      ({ message, mac }) => message === 'unknown machine enrolled' && mac === unknown.options.mac,
      { timeout_s: 240, from },
    )
    const { provision_state, driver, resource_class } = await showNode(rack, String(enrolled.node))
    assert.deepEqual([provision_state, driver, resource_class], ['enroll', 'ipmi', 'seen'])
  })
})
