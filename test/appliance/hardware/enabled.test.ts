/** What [DEFAULT] says of hardware types and interfaces, and what nodes may have by it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readConfig, readConfigFile } from '../../../appliance/config/read.ts'
import { type Offer, settle } from '../../../appliance/hardware/enabled.ts'
import { createHardware } from '../../../appliance/hardware/hardware.ts'
import { createLog } from '../../../appliance/log.ts'

const configOf = (...lines: string[]) =>
  readConfig(readConfigFile('test.conf', ['[DEFAULT]', ...lines].join('\n')), { host: 'box', my_ip: () => '192.0.2.1' })
const settled = (lines: string[], offers: readonly Offer[] = []) => settle(configOf(...lines), offers)
const log = createLog('error', () => {})

describe('[DEFAULT] enabled_hardware_types', () => {
  it('brings the hardware types that it names, and no other', () => {
    const hardware = createHardware({ config: configOf('enabled_hardware_types = fake-hardware'), log })

    assert.deepEqual([...hardware.allowed.keys()], ['fake-hardware'])
    assert.equal(hardware.find('power', 'fake')?.name, 'fake')
  })

  it('refuses a hardware type that is not there, and tells which are', () => {
    assert.throws(() => createHardware({ config: configOf('enabled_hardware_types = ipmi, constructor'), log }), {
      name: 'InvalidParameterValue',
      message: /^\[DEFAULT\] enabled_hardware_types names "constructor": expected some of ipmi, fake-hardware\b/,
    })
  })
})

describe('[DEFAULT] enabled_<type>_interfaces', () => {
  it('are those that the enabled hardware types prefer when they are empty', () => {
    const { enabled } = settled(['enabled_hardware_types = ipmi, fake-hardware'])

    assert.deepEqual(
      [enabled.power, enabled.management],
      [
        ['ipmitool', 'fake'],
        ['ipmitool', 'fake'],
      ],
    )
  })

  it('leave a hardware type those that it allows, in its own order', () => {
    const { allowed, problems } = settled(['enabled_management_interfaces = noop, fake, ipmitool'])

    assert.deepEqual(problems, [])
    assert.deepEqual(allowed.get('ipmi')?.management, ['ipmitool', 'noop'])
    assert.deepEqual(allowed.get('fake-hardware')?.management, ['fake'])
  })

  it('may name what a plugin brings, after which it is allowed on every hardware type but those that it leaves out', () => {
    const offers = [
      { type: 'power', name: 'pdu' },
      { type: 'power', name: 'lever', hardware_types: ['fake-hardware'] },
    ]
    const { allowed } = settled(['enabled_power_interfaces = pdu, lever, ipmitool, fake'], offers)

    assert.deepEqual(allowed.get('ipmi')?.power, ['ipmitool', 'pdu'])
    assert.deepEqual(allowed.get('fake-hardware')?.power, ['fake', 'pdu', 'lever'])
  })

  it('are refused with a name that nobody knows', () => {
    const { problems, warnings } = settled(['enabled_boot_interfaces = ipxe, pxee'])

    assert.deepEqual(problems, [
      '[DEFAULT] enabled_boot_interfaces names "pxee": expected some of fake, ipxe, redfish-virtual-media.',
    ])
    assert.deepEqual(warnings, [])
  })

  it('are left out, with a warning, with a name of Ironic that is not here', () => {
    const { problems, warnings, enabled, allowed } = settled([
      'enabled_hardware_types = ipmi, irmc',
      'enabled_boot_interfaces = ipxe, pxe',
    ])

    assert.deepEqual(problems, [])
    assert.deepEqual(warnings, [
      '[DEFAULT] enabled_hardware_types names "irmc", which Ironic has and this appliance does not: it is left out.',
      '[DEFAULT] enabled_boot_interfaces names "pxe", which Ironic has and this appliance does not: it is left out.',
    ])
    assert.deepEqual(enabled.boot, ['ipxe'])
    assert.deepEqual([...allowed.keys()], ['ipmi'])
  })

  it('are refused when nothing of them is here', () => {
    const types = settled(['enabled_hardware_types = irmc, snmp'])
    const boot = settled(['enabled_hardware_types = ipmi', 'enabled_boot_interfaces = pxe'])

    assert.deepEqual(types.problems, [
      '[DEFAULT] enabled_hardware_types is irmc, snmp: expected at least one of ipmi, fake-hardware, idrac, ilo, manual-management, redfish.',
    ])
    assert.deepEqual(boot.problems, [
      '[DEFAULT] enabled_boot_interfaces is pxe: expected at least one that hardware type ipmi allows (ipxe).',
    ])
  })

  it('are refused when a hardware type is left without one', () => {
    const { problems } = settled(['enabled_power_interfaces = fake'])

    assert.deepEqual(problems, [
      '[DEFAULT] enabled_power_interfaces is fake: expected at least one that hardware type ipmi allows (ipmitool).',
    ])
  })
})

describe('[DEFAULT] default_<type>_interface', () => {
  it('goes before what the hardware type prefers', () => {
    const { allowed, problems } = settled([
      'enabled_hardware_types = ipmi',
      'enabled_management_interfaces = ipmitool, noop',
      'default_management_interface = noop',
    ])

    assert.deepEqual(problems, [])
    assert.deepEqual(allowed.get('ipmi')?.management, ['noop', 'ipmitool'])
  })

  it('is refused when it is not enabled, or not allowed by an enabled hardware type', () => {
    const { problems } = settled(['default_management_interface = noop', 'default_power_interface = fake'])

    assert.deepEqual(problems, [
      '[DEFAULT] default_management_interface is "noop": expected one that is enabled and that hardware type ipmi allows (ipmitool).',
      '[DEFAULT] default_power_interface is "fake": expected one that is enabled and that hardware type ipmi allows (ipmitool).',
      '[DEFAULT] default_management_interface is "noop": expected one that is enabled and that hardware type fake-hardware allows (fake).',
    ])
  })
})
