/** Steps that a node's interfaces bring to its deploys and cleanings. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { interfaceSteps } from '../../../appliance/conductor/interfaces/steps.ts'
import { createHardware } from '../../../appliance/hardware/hardware.ts'
import { createLog } from '../../../appliance/log.ts'
import type { Task } from '../../../appliance/plugin-api/index.ts'
import { configOf, startTrial } from './trial.ts'

const INI = `[DEFAULT]
enabled_hardware_types = fake-hardware
enabled_bios_interfaces = fake, no-bios
enabled_raid_interfaces = fake, no-raid
enabled_vendor_interfaces = fake, no-vendor
enabled_firmware_interfaces = fake, no-firmware
`
const log = createLog('error', () => {})
const hardware = createHardware({ config: configOf(INI), log })

describe('steps of interfaces', () => {
  it('are those of the implementations that the node names, for the procedure that is asked for', async (t) => {
    const trial = await startTrial(t, { ini: INI, hardware })
    const node = await trial.createNode({ interfaces: { raid: 'no-raid' } as never })
    const parts = { hardware, store: trial.store, log, option_values: () => ({}) }
    const keys = (kind: 'clean' | 'deploy') =>
      interfaceSteps(parts, node, kind).map((step) => `${step.interface}.${step.step} ${step.priority}`)

    assert.deepEqual(keys('clean'), [
      'vendor.log_passthrough 1',
      'firmware.update 0',
      'bios.apply_configuration 0',
      'bios.factory_reset 0',
      'bios.cache_bios_settings 0',
    ])
    assert.deepEqual(keys('deploy'), [])
  })

  it('are handed the record, and a way to write to it', async (t) => {
    const trial = await startTrial(t, { ini: INI, hardware })
    const node = await trial.createNode()
    const parts = { hardware, store: trial.store, log, option_values: () => ({}) }
    const apply = interfaceSteps(parts, node, 'clean').find(({ step }) => step === 'apply_configuration')

    await apply?.run({ node } as unknown as Task, { settings: [{ name: 'hyperthreading', value: 'off' }] })

    assert.deepEqual(trial.node(node.uuid).driver_internal_info, { fake_bios_settings: { hyperthreading: 'off' } })
  })
})
