/**
 * Every implementation that comes with the appliance, but those that need a BMC or an agent: they have tests of their
 * own.
 */
import { describe } from 'node:test'
import { TYPES, type Type } from '../../../appliance/hardware/enabled.ts'
import { IMPLEMENTATIONS } from '../../../appliance/hardware/implementations.ts'
import { createIpmi } from '../../../appliance/hardware/ipmi/ipmi.ts'
import { createRedfish } from '../../../appliance/hardware/redfish/redfish.ts'
import { createLog } from '../../../appliance/log.ts'
import { testInterface, testRefusal, type UnderTest } from '../../../appliance/plugin-testing/interfaces.ts'
import { LOOPBACK_REACH } from '../loopback-reach.ts'
import { nodeOnPaper } from './node-on-paper.ts'
import { REDFISH_OPTIONS } from './redfish/options.ts'

const ELSEWHERE = ['power/agent', 'raid/agent', 'power/ipmitool', 'management/ipmitool', 'console/ipmitool-socat']
const log = createLog('error', () => {})
const given = { log, reach: LOOPBACK_REACH, default_boot_mode: 'uefi' } as const
const shared = { log, ipmi: createIpmi(given), redfish: createRedfish({ ...given, config: REDFISH_OPTIONS }) }

function test<K extends Type>(type: K, name: string): void {
  const table = IMPLEMENTATIONS[type] as unknown as Record<
    string,
    (given: typeof shared) => UnderTest<K>['implementation']
  >
  const make = (): UnderTest<K> => {
    let node = nodeOnPaper({ driver: 'fake-hardware' })
    const implementation = table[name]?.(shared) as UnderTest<K>['implementation']
    return { implementation, node: () => node, record: (change) => (node = { ...node, ...change }) }
  }
  describe(`${type} interface ${name}`, () =>
    name.startsWith('no-') ? testRefusal(type, make) : testInterface(type, make))
}

for (const type of TYPES) {
  for (const name of Object.keys(IMPLEMENTATIONS[type]))
    if (!ELSEWHERE.includes(`${type}/${name}`) && !name.startsWith('redfish')) test(type, name)
}
