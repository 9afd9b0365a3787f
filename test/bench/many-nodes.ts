/** Records of many nodes, for the benchmarks: written by the store itself, before an appliance opens it. */
import { createLog } from '../../appliance/log.ts'
import { INTERFACE_TYPES, type Node, newNode } from '../../appliance/records/kinds/node.ts'
import { newPort } from '../../appliance/records/kinds/port.ts'
import { openStore } from '../../appliance/records/open-store.ts'

const FILL_AT_ONCE = 256
const NO_PLUGIN_NEEDED = Object.fromEntries(INTERFACE_TYPES.map((type) => [type, 'noop']))

/** Of the port of a node by its number. */
export const macOf = (index: number) => `52:54:00:${index.toString(16).padStart(6, '0').match(/../g)?.join(':')}`

/** As many records as a rack, or a hall, would have; with what a node has when it has been deployed. */
export async function fill(
  state_path: string,
  count: number,
  change: (index: number) => Partial<Node> = () => ({}),
): Promise<string[]> {
  const store = await openStore({ state_path, log: createLog('error') })
  const uuids: string[] = []
  const add = async (index: number) => {
    const node = await store.nodes.create({ ...nodeNumber(index), ...change(index) })
    await store.ports.create(newPort({ node_uuid: node.uuid, address: macOf(index) }))
    uuids[index] = node.uuid
  }
  for (let from = 0; from < count; from += FILL_AT_ONCE) {
    const length = Math.min(FILL_AT_ONCE, count - from)
    await Promise.all(Array.from({ length }, (_, index) => add(from + index)))
  }
  await store.close()
  return uuids
}

const nodeNumber = (index: number): Node =>
  newNode({
    name: `node-${index}`,
    driver: 'fake-hardware',
    interfaces: { ...NO_PLUGIN_NEEDED, deploy: 'direct', power: 'fake', management: 'fake' } as Node['interfaces'],
    driver_info: { ipmi_address: '192.0.2.1', ipmi_username: 'admin', ipmi_password: `secret-${index}` },
    properties: { cpu_arch: 'x86_64', memory_mb: 65536, local_gb: 960, capabilities: 'boot_mode:uefi' },
    instance_info: { image_source: 'http://images.example/debian.raw', image_checksum: 'a3'.repeat(32) },
    provision_state: 'active',
    power_state: 'power on',
    resource_class: 'baremetal',
  })
