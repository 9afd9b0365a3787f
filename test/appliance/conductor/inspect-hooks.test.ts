import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DraftPort, HookOptions, Inspection } from '../../../appliance/conductor/inspect/hooks/hook.ts'
import { neighbourIn, tlvsIn } from '../../../appliance/conductor/inspect/hooks/lldp.ts'
import { hooksOf, runHooks } from '../../../appliance/conductor/inspect/hooks/run.ts'
import type { Json } from '../../../appliance/plugin-api/index.ts'
import { newNode } from '../../../appliance/records/kinds/node.ts'
import { configOf } from './trial.ts'

const MAC = '52:54:00:12:34:56'
const GIB = 1024 ** 3
const DISK = { name: '/dev/vda', size: 20 * GIB, serial: 'A', rotational: false }
const CARD = { name: 'eth0', mac_address: MAC, ipv4_address: '10.10.10.7' }
/** As a switch of Juniper's EX series sends them: chassis, port, TTL, names, capabilities, address, VLANs, MTU. */
const TLVS = [
  [1, '0464649b32f300'],
  [2, '07373636'],
  [3, '0078'],
  [5, '737730312d6469737431622d623132'],
  [6, '4a756e69706572204e6574776f726b732c20496e632e206578323230302d34387420'],
  [7, '00140014'],
  [8, '0501c000020f020000002100'],
  [127, '00120f01036c110010'],
  [127, '00120f030000000000'],
  [127, '00120f0405ea'],
  [127, '0080c2010066'],
  [127, '0080c203006507766c616e313031'],
  [127, '0080c20400'],
  [0, ''],
]

type Given = { properties?: Json; plugin_data?: Json; inventory?: Json; before?: Json; options?: Partial<HookOptions> }

async function hooked(names: readonly string[], given: Given = {}) {
  const warnings: string[] = []
  const inspection: Inspection = {
    node: newNode({ driver: 'fake-hardware', interfaces: {} as never, properties: given.properties ?? {} }),
    options: { ...configOf().inspector, ...given.options, hooks: names },
    inventory: { interfaces: [CARD], ...given.inventory },
    plugin_data: { ...given.plugin_data },
    properties: { ...given.properties },
    ports: new Map<string, DraftPort>([[MAC, { address: MAC, local_link_connection: {}, extra: {} }]]),
    before: async () => given.before,
    warn: (reason) => void warnings.push(reason),
  }
  await runHooks(inspection)
  return { ...inspection, port: inspection.ports.get(MAC), warnings }
}

describe('hooks of inspections', () => {
  it('set what the machine has: CPUs, memory, disk, firmware and flags, and leave other capabilities', async () => {
    const { properties, plugin_data } = await hooked(
      ['architecture', 'cpus', 'memory', 'root-device', 'boot-mode', 'cpu-capabilities'],
      {
        properties: { capabilities: 'boot_mode:bios,rack:7', other: 1 },
        inventory: {
          cpu: { architecture: 'x86_64', count: 4, flags: ['fpu', 'vmx', 'aes'] },
          memory: { physical_mb: 4096 },
          boot: { current_boot_mode: 'uefi' },
        },
        plugin_data: { root_disk: DISK },
      },
    )

    assert.deepEqual(properties, {
      other: 1,
      capabilities: 'boot_mode:uefi,rack:7,cpu_vt:true,cpu_aes:true',
      cpu_arch: 'x86_64',
      cpus: 4,
      memory_mb: 4096,
      local_gb: 19,
    })
    assert.equal(plugin_data.local_gb, 19)
  })

  it("take the disk that the node's hints name, and fail when none is it", async () => {
    const disks = [DISK, { ...DISK, name: '/dev/vdb', serial: 'B', size: 40 * GIB }]
    const inventory = { disks }

    const { properties } = await hooked(['root-device'], {
      inventory,
      properties: { root_device: { serial: 'B' } },
      options: { disk_partitioning_spacing: false },
    })

    assert.equal(properties.local_gb, 40)
    await assert.rejects(hooked(['root-device'], { inventory, properties: { root_device: { serial: 'C' } } }), {
      message: /^Error in hook root-device: No disks satisfied root device hints for node /,
    })
  })

  it('take the one disk that is new as the root device', async () => {
    const given = { inventory: { disks: [DISK, { serial: 'R' }] }, before: { disks: [DISK] } }

    const found = await hooked(['raid-device'], given)
    const several = await hooked(['raid-device'], { ...given, before: { disks: [] } })

    assert.deepEqual(found.properties, { root_device: { serial: 'R' } })
    assert.deepEqual([several.properties, several.warnings.length], [{}, 1])
  })

  it('count PCI devices that have an alias, and know accelerators', async () => {
    const pci_devices = [1, 2].map((bus) => ({ vendor_id: '10de', product_id: '1eb8', bus: `0000:0${bus}:00.0` }))

    const { properties } = await hooked(['pci-devices', 'accelerators'], {
      plugin_data: { pci_devices },
      options: { pci_device_alias: ['{"vendor_id": "10de", "product_id": "1eb8", "name": "t4"}', 'broken'] },
    })

    assert.equal(properties.capabilities, 't4:2')
    assert.deepEqual(
      (properties.accelerators as Json[]).map(({ pci_address }) => pci_address),
      ['0000:01:00.0', '0000:02:00.0'],
    )
  })

  it('give ports their physical network, and the switch that they are connected to', async () => {
    const { port, plugin_data } = await hooked(
      ['validate-interfaces', 'physical-network', 'parse-lldp', 'local-link-connection'],
      {
        inventory: { interfaces: [{ ...CARD, lldp: TLVS }] },
        options: { physical_network_cidr_map: ['2001:db8::/64:b', '10.10.10.0/24:a'] },
      },
    )

    assert.equal(port?.physical_network, 'a')
    assert.deepEqual(port?.local_link_connection, {
      port_id: '766',
      switch_id: '64:64:9b:32:f3:00',
      switch_info: 'sw01-dist1b-b12',
    })
    assert.deepEqual(Object.keys(plugin_data.parsed_lldp as Json), ['eth0'])
  })

  it('are refused at the start when there is no such one, or one is missing before it', () => {
    assert.throws(() => hooksOf(['extra-hardware']), {
      message: /^\[inspector\] hooks has "extra-hardware", which is none/,
    })
    assert.throws(() => hooksOf(['ports', 'validate-interfaces']), {
      message: '[inspector] hooks: ports needs validate-interfaces before it. Add that in front of it.',
    })
    assert.deepEqual(
      hooksOf(configOf('[inspector]\nhooks = $default_hooks, memory\n').inspector.hooks).map(([name]) => name),
      ['ramdisk-error', 'validate-interfaces', 'ports', 'architecture', 'memory'],
    )
  })

  it('refuse more cards than a machine has, and cards of which none fits', async () => {
    const interfaces = Array.from({ length: 257 }, (_, index) => ({ ...CARD, name: `eth${index}` }))

    await assert.rejects(hooked(['validate-interfaces'], { inventory: { interfaces } }), /257 network interfaces/)
    await assert.rejects(
      hooked(['validate-interfaces'], { inventory: { interfaces: [{ name: 'eth0', mac_address: 'x' }] } }),
      /no valid network interfaces/,
    )
  })
})

describe('LLDP', () => {
  it('is read as Ironic reads it', () => {
    assert.deepEqual(neighbourIn(tlvsIn(TLVS)), {
      switch_chassis_id: '64:64:9b:32:f3:00',
      switch_port_id: '766',
      switch_system_name: 'sw01-dist1b-b12',
      switch_system_description: 'Juniper Networks, Inc. ex2200-48t',
      switch_capabilities_support: ['Bridge', 'Router'],
      switch_capabilities_enabled: ['Bridge', 'Router'],
      switch_mgmt_addresses: ['192.0.2.15'],
      switch_port_autonegotiation_enabled: true,
      switch_port_autonegotiation_support: true,
      switch_port_link_aggregation_enabled: false,
      switch_port_link_aggregation_support: false,
      switch_port_link_aggregation_id: 0,
      switch_port_mtu: 1514,
      switch_port_untagged_vlan_id: 102,
      switch_port_vlans: [{ name: 'vlan101', id: 101 }],
      switch_protocol_identities: [''],
    })
  })

  it('of a stranger is cut short, cleaned, and never fails', () => {
    const hostile: unknown[] = [
      ...['x', null, [1], [1, 7], [1, 'zz'], [1, '0'], [5, '41'.repeat(512)], ['1', '04']],
      [5, '1b5b324a41'],
      ...[
        [1, ''],
        [2, '03'],
        [7, '00'],
        [8, ''],
        [8, '0502'],
        [127, ''],
        [127, '0080c203006599'],
        [127, '0080c202'],
      ],
      ...Array.from({ length: 500 }, () => [8, '0501c000020f']),
    ]

    const found = neighbourIn(tlvsIn(hostile))

    assert.equal(found.switch_system_name, 'A')
    assert.equal((found.switch_mgmt_addresses as string[]).length, 64)
    assert.deepEqual(neighbourIn(tlvsIn('nothing')), {})
  })
})
