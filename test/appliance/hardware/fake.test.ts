import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createBmcDrivers } from '../../../appliance/hardware/drivers.ts'
import { createFake } from '../../../appliance/hardware/fake.ts'
import { createLog } from '../../../appliance/log.ts'
import { testBmcDriver } from '../../conformance/bmc-driver.ts'
import { nodeOnPaper } from './node-on-paper.ts'

describe('hardware type fake-hardware', () => {
  testBmcDriver(() => {
    let node = nodeOnPaper({ driver: 'fake-hardware' })
    return { driver: createFake(), node: () => node, record: (change) => (node = { ...node, ...change }) }
  })

  it('is in whatever power state its record says', async () => {
    const node = nodeOnPaper({ power_state: 'power on' })

    assert.equal(await createFake().getPowerState(node, AbortSignal.timeout(1000)), 'power on')
  })
})

describe('[DEFAULT] enabled_hardware_types', () => {
  const options = { log: createLog('error', () => {}), default_boot_mode: 'uefi' } as const

  it('brings the hardware types that it names, and no other', () => {
    const drivers = createBmcDrivers({ ...options, enabled: ['fake-hardware'] })

    assert.deepEqual([...drivers.keys()], ['fake-hardware'])
    assert.equal(drivers.get('fake-hardware')?.name, 'fake-hardware')
  })

  it('refuses a hardware type that is not there, and tells which are', () => {
    assert.throws(() => createBmcDrivers({ ...options, enabled: ['ipmi', 'constructor'] }), {
      name: 'InvalidParameterValue',
      message: '[DEFAULT] enabled_hardware_types names "constructor": expected some of ipmi, fake-hardware.',
    })
  })
})
