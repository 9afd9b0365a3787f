import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { networksOf } from '../../../appliance/ground/networks.ts'
import { bmcAddressesOf } from '../../../appliance/hardware/bmc-addresses.ts'

describe('the addresses of a BMC', () => {
  it('are what driver_info calls so, plain or within a URL; names, numbers and other fields are none', () => {
    const driver_info = {
      ipmi_address: '10.0.0.1',
      redfish_address: 'https://10.0.0.2:8443/redfish',
      ilo_address: '[fd00::3]',
      drac_address: 'https://[fd00::4]/',
      irmc_address: 'bmc.example',
      ipmi_transit_address: '10.0.0.5',
      ipmi_target_address: '0x20',
      snmp_address: 7,
      address: '10.0.0.6',
    }

    assert.deepEqual(bmcAddressesOf(driver_info), ['10.0.0.1', '10.0.0.2', 'fd00::3', 'fd00::4'])
  })

  it('are told without their zone, so that each is a network; what is no address is none', () => {
    const driver_info = {
      ipmi_address: 'fe80::1%eth0',
      ilo_address: '[fe80::2%25eth0]',
      irmc_address: '%eth0',
    }

    const found = bmcAddressesOf(driver_info)

    assert.deepEqual(found, ['fe80::1', 'fe80::2'])
    assert.ok(networksOf(found).has('fe80::2'))
  })
})
